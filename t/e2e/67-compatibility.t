# compatibility = 0.6 and 0.12: what each shows, that a change there and back loses nothing, and what is there with both:
# groups above groups, variables, short forms of users and groups, settings that count.
use v5.36;
use utf8;

use Test::More;
use Roster;
use Roster::Document;

my ($true, $false) = (JSON::PP::true, JSON::PP::false);
my $roster = Roster->new(config => {rate_limits => 'no'});
my $admin = $roster->add_user(role => 'admin', name => 'Ada');
my $user = $roster->add_user(name => 'Una', bio => 'b', timezone => 'Europe/Vienna');
my $other = $roster->add_user(name => 'Otto');
my $pending = $roster->add_user(role => 'pending');

sub speak ($release) {
    $roster->reconfigure(compatibility => $release);
    Roster::Document::use_compatibility($release);
    return;
}

sub call ($name, $expected, $who, %options) {
    return $roster->call($name, $expected, %options, ($who ? (token => $who->{token}) : ()))->{json};
}

sub make (%fields) { return call(group_create => 200, $admin, json => {description => 'd', %fields}) }

sub change ($group, %fields) {
    return call(
        group_update => 200,
        $admin,
        in => {group_id => $group->{id}},
        json => {name => $group->{name}, description => 'd', %fields});
}

sub add ($group, @users) {
    return call(
        group_users_add => 200,
        $admin,
        in => {group_id => $group->{id}},
        json => {user_ids => [map { $_->{id} } @users]});
}

# ---- What each shows ----

my $keys_of = sub ($json) { join ' ', sort keys %$json };
for my $release ('0.6', '0.12') {
    speak($release) if $release ne '0.6';
    my $is_new = $release eq '0.12';
    my $whole = call(user_get => 200, $admin, in => {user_id => $user->{id}});
    is exists $whole->{scim}, $is_new, "$release: User has scim, or not";
    my ($info) = grep { $_->{id} eq $user->{id} } @{call(users_all => 200, $admin)->{users}};
    is $keys_of->($info),
        join(' ',
        sort qw(id name email role status_emoji status_message status_expires_at),
        $is_new ? qw(bio groups is_active last_active_at timezone) : ()),
        '... UserInfo has its keys';
    call(users_search => 200, $user, query => '?query=Una');
    call(users_list => 200, $admin);
    my $card = call(user_info => 200, $user, in => {user_id => $user->{id}});
    is $keys_of->($card), join(
        ' ',
        sort qw(id name email role status_emoji status_message status_expires_at bio groups is_active last_active_at
            timezone)
        ),
        '... the short form has the same keys with each';
    my $permissions = call(users_own_permissions => 200, $user);
    my $count = 0;
    $count += keys %$_ for values %$permissions;
    is $count, $is_new ? 67 : 47, "... $count permissions";
    is_deeply call(default_permissions_get => 200, $admin), $permissions, '... those that everybody has';
    is_deeply call(default_permissions_fresh => 200, $admin), $permissions, '... and those of a new installation';
    is scalar keys %{call(admin_config_get => 200, $admin)}, $is_new ? 39 : 18, '... settings';
    is exists call(group_create => 200, $admin, json => {name => "G $release", description => ''})->{parent_group_id},
        $is_new, '... the group above a group';
    call(session_get => 200, $user);
    my $signed_in = $roster->sign_in($user)->{json};
    is $signed_in->{profile_image_url}, $is_new ? "/api/v1/users/$user->{id}/profile/image" : '/user.png',
        '... the picture of a session';
    call(user_permissions => 200, $admin, in => {user_id => $user->{id}});
    call(own_permission_sources => 200, $user);
}

# ---- There and back ----

my $before = $roster->settings($admin);
my %new = (
    ADMIN_EMAIL => $other->{email},
    FOLDER_MAX_FILE_COUNT => 7,
    ENABLE_APPS => $true,
    I18N => {de => {Hello => 'Hallo', Bye => ''}},
    DEFAULT_INTERFACE_SETTINGS => {chatBubble => $true, t => {a => 1}});
my $saved = call(admin_config_set => 200, $admin, json => {%new, AUTOMATION_MAX_COUNT => '6'});
is delete $saved->{sessions_revoked}, $false, 'a change says that it ended no sessions';
is_deeply $saved, {%$before, %new, AUTOMATION_MAX_COUNT => 6, I18N => {de => {Hello => 'Hallo'}}},
    'what a body leaves out stays; an empty text is left out';
call(default_permissions_set => 200, $admin, json => {features => {webhooks => $true}, chat => {edit => $false}});
my $permissions = call(default_permissions_get => 200, $admin);
is $permissions->{features}{webhooks}, $true, 'a key of a section is set';
is $permissions->{chat}{edit}, $false, '... and another';
is $permissions->{chat}{delete}, $true, '... and those that were left out stay';
is_deeply call(admin_details => 200, $user), {name => 'Otto', email => $other->{email}},
    'ADMIN_EMAIL says whom to write to';

for my $name (qw(SKILL_CONTENT_MAX_CHARS SKILL_PREVIEW_MAX_CHARS)) {
    is $saved->{$name}, undef, "$name is null in a new installation";
    is_problem $roster->post('/auths/admin/config', $admin, {$name => 0}), 422, 'VALIDATION_ERROR', '... or from 1';
    $roster->change_settings($admin, $name => 7);
    is $roster->settings($admin)->{$name}, 7, '... as this';
    is $roster->post('/auths/admin/config', $admin, {$name => undef})->{status}, 200, '... or null again';
}
$roster->change_settings($admin, I18N => {de => {Hello => 'Hallo', x => ' '}, fr => {Bye => ''}});
is_deeply $roster->settings($admin)->{I18N}, {de => {Hello => 'Hallo'}}, 'a language without a text is left out';

is_problem $roster->post('/auths/admin/config', $admin, {I18N => $_}), 422, 'VALIDATION_ERROR',
    'names that a browser can use'
    for { ' ' => {a => 'b'} }
, {de => {constructor => 'b'}}, {prototype => {a => 'b'}};
$roster->sql(
    q{UPDATE config SET data = JSON_SET(data, '$.skills', JSON_OBJECT('lazy_loading', JSON_OBJECT('enable', TRUE),
    'content_max_chars', 0), '$.channels.encryption', JSON_OBJECT('enable', TRUE))});
my $stored = $roster->settings($admin);
is_deeply [@$stored{qw(ENABLE_SKILL_LAZY_LOADING ENABLE_ENCRYPTED_CHANNELS SKILL_CONTENT_MAX_CHARS)}],
    [$true, $true, undef], 'what another program stores is where it is looked for, and a number below 1 is none';
$roster->sql(q{UPDATE config SET data = JSON_REMOVE(data, '$.skills', '$.channels.encryption')});

speak('0.6');
my $older = $roster->settings($admin);
is scalar(keys %$older), 18, 'with 0.6 there are the settings of 0.6';
is $roster->post('/auths/admin/config', $admin, {%$older, ENABLE_APPS => $false, WEBUI_URL => 'https://x'})->{status},
    200,
    '... which are changed; what it does not know is passed over';
my $of_old = call(default_permissions_get => 200, $admin);
call(default_permissions_set => 200, $admin, json => {%$of_old, chat => {}, settings => {interface => $false}});
speak('0.12');
is_deeply $roster->settings($admin), {%$saved, WEBUI_URL => 'https://x'}, '... and back with 0.12 nothing is lost';
my $now = call(default_permissions_get => 200, $admin);
is $now->{chat}{edit}, $true, 'with 0.6 a permission that a body left out became its default';
is $now->{features}{webhooks}, $true, '... but none that it does not know';
is $now->{settings}{interface}, $true, '... nor was one read';

# ---- Settings of the service that count ----

my $key = 'sk-' . 'a' x 32;
$roster->sql('INSERT INTO api_key (id, user_id, `key`, created_at, updated_at) VALUES (UUID(), ?, ?, 0, 0)',
    $admin->{id}, $key);
$roster->change_settings($admin, ENABLE_API_KEYS => $true);
is_problem $roster->request(POST => '/auths/admin/config', token => $key, json => {ENABLE_MFA => $true}), 403,
    'SESSION_REQUIRED', 'an API key does not change who needs a second factor';
is $roster->request(POST => '/auths/admin/config', token => $key, json => {ENABLE_MFA => $false})->{status}, 200,
    '... but may say what it is';
is_problem $roster->get('/auths/', $key), 403, 'SESSION_REQUIRED', 'an API key is not shown a session';
is_problem $roster->get('/auths/api_key', $user), 403, 'API_KEY_NOT_ALLOWED', 'nor a key to whom may have none';
$roster->change_settings($admin, ENABLE_USER_STATUS => $false, ENABLE_SIGNUP => $true, ENABLE_LOGIN_FORM => $false);
call(status_get => 'ACTION_PROHIBITED', $user);
call(status_update => 'ACTION_PROHIBITED', $user, json => {status_message => 'x'});
is_problem $roster->request(
    POST => '/auths/signup',
    json => {name => 'n', email => 'n@example.org', password => 'a long password'}
    ),
    403, 'ACCESS_PROHIBITED', 'without a form for passwords nobody signs up';
is $roster->sign_in($user)->{status}, 200, '... but people sign in';
$roster->change_settings($admin, ENABLE_USER_STATUS => $true, ENABLE_SIGNUP => $false, ENABLE_LOGIN_FORM => $true);
is call(status_update => 200, $user, json => {status_message => 'x'})->{status_message}, 'x', 'a status, again';

# ---- The user's own settings ----

sub set (%body) { return call(settings_update => 200, $user, json => \%body) }
is_deeply call(settings_get => 200, $user), {ui => $new{DEFAULT_INTERFACE_SETTINGS}},
    'who has no settings has those that an administrator gave';
is call(settings_get => 200, $user, query => '?raw=true'), undef, '... but none of their own';
is_deeply set(ui => {a => {x => 1, n => undef}, b => 1, t => {b => 2}}),
    {ui => {a => {x => 1, n => undef}, b => 1, t => {b => 2}}}, 'members of ui are set';
is_deeply set(ui => {a => {y => 2}, b => undef}), {ui => {a => {y => 2}, t => {b => 2}}},
    '... replaced whole, and removed by null';
is_deeply set(), {ui => {a => {y => 2}, t => {b => 2}}}, 'nothing changes nothing';
is_deeply set(ui => undef), {ui => {a => {y => 2}, t => {b => 2}}}, '... nor does null';
is_deeply set(x => {k => 1}, z => undef), {ui => {a => {y => 2}, t => {b => 2}}, x => {k => 1}, z => undef},
    'other members are replaced as a whole, and null is stored';
is_deeply call(settings_get => 200, $user)->{ui}, {a => {y => 2}, chatBubble => $true, t => {a => 1, b => 2}},
    'own settings are laid over those that an administrator gave';
$roster->request(
    POST => '/users/default/permissions',
    token => $admin->{token},
    json => {features => {webhooks => $false}, chat => {controls => $false}, settings => {interface => $false}});
is_deeply set(
    notifications => {n => 1},
    ui => {
        toolServers => [1],
        system => 's',
        chatBubble => $false,
        models => ['m'],
        notificationSound => $false,
        notifications => {webhook_url => 'u', k => 1}
    }
    )->{ui},
    {a => {y => 2}, t => {b => 2}, notificationSound => $false, notifications => {k => 1}},
    'without the permissions nothing of what needs one is stored';
set(ui => {notificationSound => undef});
my $rights = make(
    name => 'Rights',
    permissions => {
        features => {webhooks => $true, direct_tool_servers => $true},
        chat => {controls => $true},
        settings => {interface => $true}
    });
my $below = make(name => 'Below', parent_group_id => $rights->{id});
add($below, $user);
is_deeply set(
    notifications => {n => 1},
    ui => {toolServers => [1], system => 's', chatBubble => $false, notifications => {webhook_url => 'u'}}
    ),
    {
    notifications => {n => 1},
    ui => {
        a => {y => 2},
        t => {b => 2},
        toolServers => [1],
        system => 's',
        chatBubble => $false,
        notifications => {webhook_url => 'u'}
    },
    x => {k => 1},
    z => undef
    },
    'with those of a group above the own one all of it is';
speak('0.6');
is_deeply set(ui => {a => 1})->{ui}, {a => 1}, 'with 0.6 ui is replaced as a whole';
is_deeply call(settings_get => 200, $user)->{ui}, {a => 1}, '... and shown as it is';

# ---- Variables ----

is_deeply call(variables_get => 200, $user), {variables => {}}, 'there are no variables';
is_deeply call(variables_update => 200, $user, json => {variables => {a => "x\r\ny\rz", b_1 => ''}, c => 1}),
    {variables => {a => "x\ny\rz", b_1 => ''}}, 'variables are set, with plain ends of lines';
for my $bad (
    {A => 'x'},
    {_a => 'x'},
    {'a-b' => 'x'},
    {'ä' => 'x'},
    {'' => 'x'},
    {a => 1},
    {a => undef},
    {a => []},
    {a => 'x' x 20_001},
    {map { ("a$_" => 'x' x 20_000) } 1 .. 6})
{
    call(variables_update => 'INVALID_VARIABLES', $user, json => {variables => {ok => 'y', %$bad}});
}
is_deeply call(variables_get => 200, $user), {variables => {a => "x\ny\rz", b_1 => ''}},
    '... and none of these changed one';
is_problem $roster->post('/users/user/variables/update', $user, {variables => undef}), 422, 'VALIDATION_ERROR',
    'null is no object';
is_deeply call(variables_update => 200, $user, json => {variables => {map { ("a$_" => 'ü' x 20_000) } 1 .. 5}}),
    {variables => {map { ("a$_" => 'ü' x 20_000) } 1 .. 5}}, 'as many as there may be';
is_deeply call(variables_update => 200, $user, json => {}), {variables => {}}, 'all are replaced';

# ---- Accounts ----

my $person = $roster->add_user(name => 'Pia', username => 'p');
my $shown = call(user_get => 200, $admin, in => {user_id => $person->{id}});
delete @$shown{qw(groups is_active updated_at last_active_at)};
for my $body ({}, {role => undef, name => undef, email => undef, profile_image_url => undef}) {
    my $same = call(user_update => 200, $admin, in => {user_id => $person->{id}}, json => $body);
    delete @$same{qw(updated_at last_active_at)};
    is_deeply $same, $shown, 'a change of nothing leaves all as it is';
}
is call(user_update => 200, $admin, in => {user_id => $person->{id}}, json => {name => 'Pi'})->{name}, 'Pi',
    'a name alone';
is $roster->get('/users/user/info', $person)->{status}, 200, '... ends no session';
call(user_update => 200, $admin, in => {user_id => $person->{id}}, json => {password => 'another long password'});
is_problem $roster->get('/users/user/info', $person), 401, 'INVALID_TOKEN', 'a password alone does';
call(timezone_update => 200, $pending, json => {timezone => 'Asia/Tokyo'});
is_deeply call(mfa_status => 200, $pending), {enabled => $false, required => $false, recovery_codes_remaining => 0},
    'nobody has a second factor yet';
my $victim = $roster->add_user;
call(user_sessions_revoke => 200, $admin, in => {user_id => $victim->{id}});
is_problem $roster->get('/users/user/info', $victim), 401, 'INVALID_TOKEN', 'sessions that were revoked have ended';
call(user_sessions_revoke => 'USER_NOT_FOUND', $admin, in => {user_id => 'nobody'});
my $second_admin = $roster->add_user(role => 'admin');
call(user_sessions_revoke => 'ACTION_PROHIBITED', $second_admin, in => {user_id => $admin->{id}});
is $roster->get('/users/user/info', $admin)->{status}, 200, 'nobody else signs the primary administrator out';
call(user_info => 'USER_NOT_FOUND', $user, in => {user_id => 'nobody'});
$roster->sql(q{INSERT INTO oauth_session (id, user_id, provider, token, expires_at) VALUES ('o', ?, 'google', 't', 9)},
    $user->{id});
call(own_oauth_session_end => 200, $user, in => {provider => 'google'});
call(own_oauth_session_end => 'NOT_FOUND', $user, in => {provider => 'google'});

# ---- Tokens ----

speak('0.12');
my $signed = $roster->add_user(password => $Roster::PASSWORD);
my $token = $roster->new_session($signed);
my $claims = Roster::claims_of($token);
is_deeply [@$claims{qw(typ auth_method mfa_verified)}], ['session', 'password', $false],
    'a token says how it came about';
cmp_ok abs($claims->{auth_time} - time), '<', 60, '... and when';
ok !exists $claims->{session_stamp}, '... and no stamp, where the account has none';
my $works = sub ($given, $wanted, $name) {
    my $answer = $roster->get('/users/user/info', $given);
    return $wanted == 200 ? is($answer->{status}, 200, $name) : is_problem($answer, 401, 'INVALID_TOKEN', $name);
};
$works->($roster->token_for($signed->{id}, typ => 'session'), 200, 'the token of another program');
$works->($roster->token_for($signed->{id}, typ => 'automation'), 200, '... of an automation');
is_problem $roster->get('/auths/', $roster->token_for($signed->{id}, typ => 'automation')), 403, 'SESSION_REQUIRED',
    '... which is no session';
$works->($roster->token_for($signed->{id}, typ => $_), 401, '... of another kind') for 'refresh', 5;
$works->($roster->jwt({id => $signed->{id}, iat => time, exp => time + 60, typ => undef}), 401, '... or of none');
call(user_sessions_revoke => 200, $admin, in => {user_id => $signed->{id}});
$works->($token, 401, 'a session that was revoked');
my $stamp = $roster->sql('SELECT session_stamp FROM auth WHERE id = ?', $signed->{id});
ok length $stamp, 'the account has a stamp then';
my $later = time + 2;
wait_until(10, sub { time > $later });
$works->($roster->token_for($signed->{id}), 401, 'a new token of another program without the stamp');
$works->($roster->token_for($signed->{id}, session_stamp => 'x'), 401, '... with another');
$works->($roster->token_for($signed->{id}, session_stamp => $stamp), 200, '... with this one');
my $again = $roster->new_session($signed);
is Roster::claims_of($again)->{session_stamp}, $stamp, 'a new session has the stamp';
$works->($again, 200, '... and works');
speak('0.6');
$works->($again, 200, '... and works with 0.6');
$works->($roster->token_for($signed->{id}, typ => 'refresh'), 200, '... where other claims are passed over');
my $old = $roster->new_session($signed);
is_deeply [sort keys %{Roster::claims_of($old)}], [qw(exp iat id jti)], '... and tokens have those of 0.6';
speak('0.12');
$works->($old, 200, 'a session of before goes on');

# ---- Groups above groups ----

speak('0.12');
my $root = make(name => 'Root', permissions => {workspace => {models => $true}});
my $middle = make(name => 'Middle', parent_group_id => $root->{id}, permissions => {workspace => {tools => $true}});
my $leaf = make(name => 'Leaf', parent_group_id => $middle->{id});
is_deeply make(name => 'Own data', data => {a => 1})->{data}, {a => 1}, 'data of a new group is what was sent';
is_deeply $root->{data}, {config => {share => 'members'}}, '... and without it the group is shared with its members';
add($root, $other);
add($leaf, $other, $person);
$person = {%$person, token => $roster->new_session($person, password => 'another long password')};
is_deeply call(users_own_permissions => 200, $person)->{workspace}{$_}, $true, "what a group above gives: $_"
    for qw(models tools);
is call(user_permissions => 200, $admin, in => {user_id => $person->{id}})->{workspace}{models}{from}[0], $root->{id},
    '... and where it comes from';
for my $bad (
    [group_create => 'NOT_FOUND', {}, 'nothing'],
    [group_create => 'INVALID_PARENT', {}, ''],
    [group_update => 'NOT_FOUND', $root, 'nothing'],
    [group_update => 'INVALID_PARENT', $root, ''],
    [group_update => 'INVALID_PARENT', $root, $root->{id}],
    [group_update => 'INVALID_PARENT', $root, $leaf->{id}],)
{
    my ($route, $code, $group, $parent) = @$bad;
    call(
        $route => $code,
        $admin,
        in => {group_id => $group->{id}},
        json => {name => 'x', description => '', parent_group_id => $parent});
}
is_problem $roster->post('/groups/create', $admin, {name => 'x', description => '', parent_group_id => 5}), 422,
    'VALIDATION_ERROR', 'a number is no group';
is change($leaf, data => {x => 1})->{parent_group_id}, $middle->{id}, 'what is left out stays';
is_deeply change($leaf, data => {config => {y => 2}})->{data}, {x => 1, config => {share => 'members', y => 2}},
    'data and its config are merged';
is_problem $roster->post("/groups/id/$leaf->{id}/update", $admin,
    {name => 'x', description => '', data => {config => $_}}),
    422, 'VALIDATION_ERROR', 'config is an object, with a list of models'
    for undef, {default_models => 'x'}, {default_models => ['']};
my $info = call(group_info => 200, $person, in => {group_id => $leaf->{id}});
is_deeply [@$info{qw(name parent_group_id member_count)}], ['Leaf', $middle->{id}, 2], 'a group in short';
call(group_info => 'NOT_FOUND', $person, in => {group_id => 'nothing'});
change($middle, data => {config => {default_models => ['m1', 'm2']}});
my $preview = call(group_preview => 200, $admin, in => {group_id => $leaf->{id}});
my $nothing = {items => [], total => 0};
is_deeply {
    map { ($_ => $preview->{$_}) } qw(group permissions models knowledge tools default_models)
},
    {
    group => {id => $leaf->{id}, name => 'Leaf'},
    permissions => {},
    (map { ($_ => $nothing) } qw(models knowledge tools)),
    default_models => {local => undef, effective => ['m1', 'm2'], source_group_id => $middle->{id}}
    },
    'a preview of a group: what it gives itself, and the models of the nearest group above';
is $preview->{inherited_permissions}{workspace}{models}, $true, '... what the groups above give';
is $preview->{effective_permissions}{workspace}{models}, $true, '... and what its members may do';
$preview = call(group_preview => 200, $admin, in => {group_id => $middle->{id}});
is_deeply $preview->{default_models},
    {local => ['m1', 'm2'], effective => ['m1', 'm2'], source_group_id => $middle->{id}}, '... its own models';
is_deeply [
    $preview->{permissions},
    map { @{$preview->{$_}{workspace}}{qw(models tools)} } qw(inherited_permissions effective_permissions)
    ],
    [{workspace => {tools => $true}}, $true, $false, $true, $true], '... and permissions';
call(group_preview => 'NOT_FOUND', $admin, in => {group_id => 'nothing'});
$preview = call(user_preview => 200, $admin, in => {user_id => $person->{id}});
is_deeply [sort map { $_->{name} } @{delete $preview->{groups}}], [qw(Leaf Middle Root)],
    'a preview of a user: the groups, and those above';
is_deeply $preview,
    {user => {id => $person->{id}, name => 'Pi'}, map { ($_ => $nothing) } qw(models knowledge tools)},
    '... and what they give, of which nothing is known';
call(user_preview => 'USER_NOT_FOUND', $admin, in => {user_id => 'nobody'});

sub members ($group, $query = '') {
    my $page = call(group_members => 200, $admin, in => {group_id => $group->{id}}, query => $query);
    return [
        [@{$page->{counts}}{qw(direct inherited effective)}, $page->{total}],
        map { [$_->{name}, $_->{membership_type}, scalar @{$_->{via_group_ids}}] } @{$page->{items}}
    ];
}
is_deeply members($root), [[1, 1, 2, 2], ['Otto', 'direct', 1], ['Pi', 'inherited', 1]], 'members of a group and below';
is_deeply members($root, '?membership=direct'), [[1, 1, 2, 1], ['Otto', 'direct', 1]], '... its own';
is_deeply members($root, '?membership=inherited'), [[1, 1, 2, 1], ['Pi', 'inherited', 1]], '... only those below';
is_deeply members($root, '?query=OTT'), [[1, 1, 2, 1], ['Otto', 'direct', 1]], '... by name';
is_deeply members($root, '?page=2'), [[1, 1, 2, 2]], '... none on the second page';
call(group_members => 'VALIDATION_ERROR', $admin, in => {group_id => $root->{id}}, query => $_)
    for '?page=0', '?membership=x';
call(group_members => 'NOT_FOUND', $admin, in => {group_id => 'nothing'});
my %type = map { ($_->{name} => $_->{membership_type}) }
    @{call(users_own_groups => 200, $person, query => '?include_inherited=true')};
is_deeply \%type, {Leaf => 'direct', Middle => 'inherited', Root => 'inherited'}, 'groups and those above them';
is_deeply [map { $_->{name} } @{call(users_own_groups => 200, $person)}], ['Leaf'], '... or the own ones alone';
call(user_groups => 200, $admin, in => {user_id => $person->{id}}, query => '?include_inherited=true');
is_deeply [sort map { $_->{name} } @{call(groups_list => 200, $person)}], [qw(Leaf Middle Root)],
    'a list of groups has those above';

call(group_create => 'NOT_FOUND', $admin, json => {name => 'x', description => '', parent_group_id => 'nothing'});

# Shared groups.
make(name => "Share $_->[0]", data => {config => {share => $_->[1]}})
    for ['yes', $true], ['no', $false], ['null', undef], ['text', 'true'], ['other', 'x'], ['members', 'members'];
is_deeply [
    sort grep { /^Share|Leaf|Root/ }
    map { $_->{name} } @{call(groups_list => 200, $person, query => '?share=true')}
    ],
    ['Leaf', 'Root', 'Share null', 'Share text', 'Share yes'], 'what is shared with everybody, or with members';
my $all = @{call(groups_list => 200, $admin)};
is scalar @{call(groups_list => 200, $admin, query => '?share=false')}, $all, 'administrators get all';
speak('0.6');
is_deeply [grep { /^Share/ } map { $_->{name} } @{call(groups_list => 200, $admin, query => '?share=false')}],
    ['Share no'],
    '... but with 0.6 those they ask for';
is_deeply [sort map { $_->{name} } @{call(groups_list => 200, $person, query => '?share=true')}],
    [qw(Leaf Middle Root)],
    '... and others their own';
is make(name => 'Older')->{data}, undef, 'with 0.6 a new group has no data';
speak('0.12');

# The one in the middle goes.
$roster->call(group_delete => 200, token => $admin->{token}, in => {group_id => $middle->{id}});
is call(group_get => 200, $admin, in => {group_id => $leaf->{id}})->{parent_group_id}, $root->{id},
    'the groups below one that is deleted go up';
my $own = call(users_own_permissions => 200, $person)->{workspace};
is_deeply [@$own{qw(models tools)}], [$true, $false], '... and what it gave is gone';
is change($leaf, parent_group_id => undef)->{parent_group_id}, undef, 'null takes a group out';
is call(users_own_permissions => 200, $person)->{workspace}{models}, $false, '... and takes what it had from above';

# Not too deep.
my @line = map { Roster::uuid() } 1 .. 64;
$roster->sql('INSERT INTO `group` (id, user_id, name, parent_group_id) VALUES (?, "", "line", ?)',
    $line[$_], $_ > 0 ? $line[$_ - 1] : undef)
    for 0 .. $#line;
call(group_create => 'INVALID_PARENT', $admin, json => {name => 'x', description => '', parent_group_id => $line[-1]});
make(name => 'last', parent_group_id => $line[-2]);
call(
    group_update => 'INVALID_PARENT',
    $admin,
    in => {group_id => $line[0]},
    json => {name => 'x', description => '', parent_group_id => $root->{id}});

# A circle that SQL has made ends.
$roster->sql('UPDATE `group` SET parent_group_id = ? WHERE id = ?', $leaf->{id}, $leaf->{id});
$roster->sql('UPDATE `group` SET parent_group_id = ? WHERE id = ?', $line[-1], $line[0]);
call(users_own_permissions => 200, $person);
call(group_preview => 200, $admin, in => {group_id => $line[3]});
members({id => $line[3]});
call(groups_list => 200, $person);

# ---- Moves at once ----

my @groups = map { make(name => "Move $_") } 1 .. 4;
for my $round (1 .. 5) {
    $roster->sql('UPDATE `group` SET parent_group_id = NULL WHERE name LIKE "Move%"');
    my @statuses = at_once(
        map {
            my $number = $_;
            sub {
                return $roster->request(
                    POST => "/groups/id/$groups[$number]{id}/update",
                    token => $admin->{token},
                    json => {
                        name => "Move $number",
                        description => '',
                        parent_group_id => $groups[($number + 1) % @groups]{id}
                    }
                )->{status};
            }
        } 0 .. $#groups);
    my %status;
    $status{$_->[0]}++ for @statuses;
    is_deeply \%status, {200 => 3, 400 => 1}, 'of moves that make a circle together, one is refused';
}

done_testing;
