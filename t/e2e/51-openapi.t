# The OpenAPI document: it is served, and true: endpoints are called, in success and in failure, and each answer has a
# status and a form that the document gives. t/tables/openapi.t looks whether each endpoint is called. Where openapi-spec-validator is installed it judges the document, too.
use v5.36;
use utf8;

use Test::More;
use Roster;

my $roster = Roster->new;
my $json = JSON::PP->new->utf8->allow_nonref;

my $served = $roster->get('/openapi.json');
is $served->{status}, 200, 'nginx serves the document';
like $served->{headers}{'content-type'}, qr{^application/json\b}, '... as JSON';
my $document = $served->{json};
my ($status, $printed) = $roster->rosterctl('openapi', '--json');
is $status, 0, 'rosterctl prints it';
is_deeply $json->decode($printed), $document, '... the same one';
($status, $printed) = $roster->rosterctl('openapi', '--json', '--server', 'https://users.example.org');
is $json->decode($printed)->{servers}[0]{url}, 'https://users.example.org', '--server names the address';

is_deeply [
    Roster::Document::faults(
        {
            type => 'object',
            required => ['a'],
            additionalProperties => 0,
            properties => {a => {type => ['string', 'null']}}
        },
        {a => 1, b => 2},
        '')
    ],
    ['.a is integer, not null or string', '.b is not in the document'], 'the validator finds faults';

# ---- Calls ----

my %operation = %{Roster::Document::operations($roster)};

sub call (@arguments) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return $roster->call(@arguments);
}

# ---- Everything in success ----

my $admin = $roster->add_user(
    role => 'admin',
    name => 'Ada',
    email => 'ada@example.org',
    info => {a => 1},
    settings => {ui => {}},
    oauth => {x => {sub => 1}},
    date_of_birth => '1815-12-10',
    bio => 'First');
my $user = $roster->add_user(name => 'Bob');
my $other = $roster->add_user;
my %as_admin = (token => $admin->{token});
my %as_user = (token => $user->{token});

call(ping => 200);
call(ready => 200);
call(status => 200, query => $_) for '?format=json', '?format=text', '?format=prometheus', '';
call(status => 200, headers => [Accept => 'application/json']);
call(openapi => 200);

my $session = call(sign_in => 200, json => {email => $user->{email}, password => $user->{password}})->{json};
call(session_get => 200, token => $session->{token});
call(sessions_list => 200, token => $session->{token});
call(user_sessions_list => 200, %as_admin, in => {user_id => $user->{id}});
my $jti = $roster->sql('SELECT jti FROM session WHERE user_id = ?', $user->{id});
call(session_end => 200, token => $session->{token}, in => {jti => $jti});
call(sign_in => 200, json => {email => $user->{email}, password => $user->{password}});
$jti = $roster->sql('SELECT jti FROM session WHERE user_id = ? AND revoked_at IS NULL', $user->{id});
call(user_session_end => 200, %as_admin, in => {user_id => $user->{id}, jti => $jti});
call(user_sessions_end => 200, %as_admin, in => {user_id => $other->{id}});

call(users_list => 200, %as_admin, query => $_) for '', '?query=ada&order_by=name&direction=asc&page=1';
call(users_all => 200, %as_admin);
call(users_search => 200, %as_user, query => '?query=b');
call(users_own_groups => 200, %as_user);
call(users_own_permissions => 200, %as_user);
my $permissions = call(default_permissions_get => 200, %as_admin)->{json};
call(
    default_permissions_set => 200,
    %as_admin, json => {%$permissions, features => {%{$permissions->{features}}, api_keys => JSON::PP::true}});
call(settings_get => 200, %as_user);
call(settings_update => 200, %as_user, json => {ui => {theme => 'dark'}, more => [1]});
call(settings_get => 200, %as_user);
call(
    status_update => 200,
    %as_user, json => {status_emoji => '☕', status_message => 'Pause', status_expires_at => time + 600});
call(status_get => 200, %as_user);
call(info_get => 200, %as_user);
call(info_update => 200, %as_user, json => {a => {b => 1}});
call(info_get => 200, %as_user);
call(user_get => 200, token => $_, in => {user_id => $admin->{id}}) for $admin->{token}, $user->{token};
call(user_active => 200, %as_user, in => {user_id => $_}) for $admin->{id}, 'nobody';
call(user_picture => 200, %as_user, in => {user_id => $user->{id}});
my $picture =
      'data:image/png;base64,'
    . 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
my $address = call(
    user_update => 200,
    %as_admin,
    in => {user_id => $user->{id}},
    json => {role => 'user', name => 'Bob', email => $user->{email}, profile_image_url => $picture}
)->{json}{profile_image_url};
call(user_picture => 200, %as_user, in => {user_id => $user->{id}});
call(user_picture => 200, %as_user, in => {user_id => $admin->{id}}, query => '?initials=1');
call(picture_file => 200, in => {file => $address =~ s{.*/}{}r});
call(
    user_update => 200,
    %as_admin,
    in => {user_id => $other->{id}},
    json => {role => 'user', name => 'O', email => $other->{email}, profile_image_url => 'https://example.org/x.png'});
call(user_picture => 302, %as_user, in => {user_id => $other->{id}});
call(user_groups => 200, %as_admin, in => {user_id => $user->{id}});
$roster->sql(
    'INSERT INTO oauth_session (id, user_id, provider, token, expires_at, created_at, updated_at) '
        . 'VALUES (?, ?, ?, ?, 1, 1, 1)',
    'o', $user->{id}, 'google', 'x');
call(user_oauth_sessions => 200, %as_admin, in => {user_id => $user->{id}});

call(
    profile_update => 200,
    %as_user, json => {profile_image_url => '/user.png', name => 'Bob', date_of_birth => '2000-02-29'});
call(session_get => 200, %as_user);
is_deeply call(site => 200)->{json},
    {
    name => 'Roster',
    picture => undef,
    sign_up => JSON::PP::true,
    password_sign_in => JSON::PP::true,
    password_reset => JSON::PP::false,
    password_length_least => 8,
    password_length_most => 256,
    password_refuse_common => JSON::PP::true
    },
    '... what the site offers';
is_deeply call(own_permission_sources => 200, %as_user)->{json},
    call(user_permissions => 200, %as_admin, in => {user_id => $user->{id}})->{json},
    '... and the caller sees the same permissions as an administrator does';
call(timezone_update => 200, %as_user, json => {timezone => 'Europe/Vienna'});
call(admin_details => 200, %as_user);
my $settings = call(admin_config_get => 200, %as_admin)->{json};
call(
    admin_config_set => 200,
    %as_admin,
    json =>
        {%$settings, ENABLE_API_KEYS => JSON::PP::true, ENABLE_SIGNUP => JSON::PP::true, DEFAULT_USER_ROLE => 'user'});
call(ldap_get => 200, %as_admin);
call(ldap_set => 200, %as_admin, json => {enable_ldap => JSON::PP::false});
my $ldap = call(ldap_server_get => 200, %as_admin)->{json};
call(ldap_server_set => 200, %as_admin, json => $ldap);

my $key = call(api_key_set => 200, %as_user)->{json}{api_key};
call(api_key_get => 200, %as_user);
call(session_get => 200, headers => ['x-api-key', $key]);
call(api_key_delete => 200, %as_user);
my $named = call(
    api_keys_create => 200,
    %as_user, json => {name => 'Backup', expires_at => time + 600, routes => ['/users/all']}
)->{json};
call(api_keys_list => 200, %as_user);
call(api_keys_get => 200, %as_user, in => {key_id => $named->{id}});
call(api_keys_update => 200, %as_user, in => {key_id => $named->{id}}, json => {name => 'Other', expires_at => undef});
call(api_keys_delete => 200, %as_user, in => {key_id => $named->{id}});

my $group = call(
    group_create => 200,
    %as_admin,
    json => {
        name => 'Team',
        description => '',
        permissions => {chat => {edit => JSON::PP::false}, own => {x => JSON::PP::true}}
    }
)->{json};
my %of_group = (%as_admin, in => {group_id => $group->{id}});
call(group_users_add => 200, %of_group, json => {user_ids => [$user->{id}]});
call(group_get => 200, %of_group);
call(group_export => 200, %of_group);
call(group_users => 200, %of_group);
call(groups_list => 200, token => $_, query => '?share=true') for $admin->{token}, $user->{token};
call(users_own_permissions => 200, %as_user);
call(users_own_groups => 200, %as_user);
call(group_update => 200, %of_group, json => {name => 'Team', description => 'x', meta => {a => 1}});
call(group_users_remove => 200, %of_group, json => {user_ids => undef});
call(group_delete => 200, %of_group);

call(sign_up => 200, json => {name => 'Eve', email => 'eve@example.org', password => 'a rather long one'});
my $new = call(
    user_add => 200,
    %as_admin, json => {name => 'Fay', email => 'fay@example.org', password => 'a rather long one'}
)->{json};
call(session_get => 200, token => $new->{token});
call(user_disable => 200, %as_admin, in => {user_id => $new->{id}});
call(user_enable => 200, %as_admin, in => {user_id => $new->{id}});
call(user_delete => 200, %as_admin, in => {user_id => $new->{id}});
call(password_update => 200, %as_user, json => {password => $user->{password}, new_password => 'another long one'});
call(sessions_end => 200, %as_user);
call(sign_out => 200, token => $_) for $admin->{token}, undef;
call(sign_out_post => 200);

# ---- Everything in failure ----

$admin = $roster->add_user(role => 'admin');
$user = $roster->add_user;
my $pending = $roster->add_user(role => 'pending');
# Those without a token may have a 401 of their own, which other tests show.
my %is_open = map { $_ => 1 } grep { ref $operation{$_}{operation}{security} } keys %operation;
for my $id (sort keys %operation) {
    my $responses = $operation{$id}{responses};
    my %any = (in => {}, $operation{$id}{operation}{requestBody} ? (json => {}) : ());
    call($id => 401, %any) if $responses->{401} && !$is_open{$id};
    call($id => 401, %any, token => $pending->{token}) if ($responses->{401}{description} // '') =~ /ACCESS_PROHIBITED/;
    call($id => 422, %any, token => $admin->{token}, json => [1]) if $operation{$id}{operation}{requestBody};
    call($id => 400, token => $admin->{token}, body => "\xff") if $operation{$id}{operation}{requestBody};
}
%as_admin = (token => $admin->{token});
call($_ => 422, %as_admin, query => '?page=x') for qw(users_list users_search);
call(user_picture => 422, %as_admin, query => '?initials=x');
call(groups_list => 422, %as_admin, query => '?share=x');
call($_ => 400, %as_admin)
    for qw(user_get user_delete user_oauth_sessions user_picture user_sessions_list user_sessions_end);
my %update = (role => 'user', name => 'N', email => 'n@example.org', profile_image_url => '');
call(user_update => 400, %as_admin, json => \%update);
call(user_update => 400, %as_admin, in => {user_id => $user->{id}}, json => {%update, @$_})
    for ['email', 'x'], ['email', $pending->{email}], ['profile_image_url', 'data:x'], ['password', 'short'],
    ['password', 'x' x 300];
call(
    user_update => 403,
    %as_admin,
    in => {user_id => scalar $roster->sql('SELECT id FROM user ORDER BY created_at, id LIMIT 1')},
    json => \%update);
call($_ => 403, %as_admin, in => {user_id => $admin->{id}}) for qw(user_delete user_disable user_enable);
call($_ => 400, %as_admin) for qw(user_disable user_enable);
my $machine = call(api_key_set => 200, %as_admin)->{json}{api_key};
call($_ => 403, token => $machine)
    for qw(sessions_end session_end user_sessions_end user_session_end api_key_set api_key_delete api_keys_delete);
call(
    user_update => 403,
    token => $machine,
    in => {user_id => $user->{id}},
    json => {%update, password => 'some other password'});
call(password_update => 403, token => $machine, json => {password => 'x', new_password => 'a rather long one'});
call(admin_config_set => 403, token => $machine, json => {%$settings, API_KEYS_ALLOWED_ENDPOINTS => '/users'});
call(api_key_delete => 200, %as_admin);
call($_ => 403, cookie => $admin->{token}, headers => ['Sec-Fetch-Site' => 'cross-site'])
    for qw(user_delete sign_out_post);
call($_ => 404, %as_admin) for qw(
    group_get group_export group_users group_delete session_end api_key_get api_keys_get api_keys_delete
    picture_file
);
call(group_update => 404, %as_admin, json => {name => 'x', description => ''});
call($_ => 404, %as_admin, json => {user_ids => []}) for qw(group_users_add group_users_remove);
call(user_session_end => 400, %as_admin);
call(user_session_end => 404, %as_admin, in => {user_id => $user->{id}});
call(api_keys_update => 404, %as_admin, json => {name => 'x'});
call(sign_in => 400, json => {email => 'nobody@example.org', password => 'wrong password'});
call(sign_in => 429, json => {email => 'often@example.org', password => 'wrong password'})
    if !grep { $roster->sign_in('often@example.org', password => 'wrong password')->{status} == 429 } 1 .. 15;
my %account = (name => 'N', email => 'new@example.org', password => 'a rather long one');
for my $fault (
    ['email', 'x'],
    ['email', $user->{email}],
    ['password', 'short'],
    ['password', 'x' x 300],
    ['profile_image_url', 'data:x'])
{
    call(sign_up => 400, json => {%account, @$fault});
    call(user_add => 400, %as_admin, json => {%account, @$fault});
}
call(password_update => 400, %as_admin, json => {password => 'wrong password', new_password => 'a rather long one'});
call(profile_update => 400, %as_admin, json => {name => 'N', profile_image_url => 'data:x'});
call(ldap_set => 400, %as_admin, json => {enable_ldap => JSON::PP::true});
call(admin_config_set => 422, %as_admin, json => {%$settings, DEFAULT_USER_ROLE => 'root'});
call(
    admin_config_set => 200,
    %as_admin,
    json => {
        %$settings,
        ENABLE_SIGNUP => JSON::PP::false,
        SHOW_ADMIN_DETAILS => JSON::PP::false,
        ENABLE_API_KEYS => JSON::PP::false
    });
call(sign_up => 403, json => \%account);
call(admin_details => 400, %as_admin);
call(api_key_set => 403, %as_admin);
call(api_keys_create => 403, %as_admin, json => {name => 'x'});
$roster->stop('mariadb');
call($_ => 503, %as_admin) for qw(users_all session_get);
call(ready => 503);
$roster->start('mariadb');

# ---- The official validator ----

my $tools = $ENV{ROSTER_TOOLS} // "$Roster::source/run/check/tools";
my ($python) = grep { system("$_ -c 'import openapi_spec_validator' >/dev/null 2>&1") == 0 } "$tools/python/bin/python",
    'python3';
SKIP: {
    skip 'openapi-spec-validator is not installed', 1 if !defined $python;
    my $file = $roster->directory . '/openapi.json';
    Roster::Database::write_file($file, $served->{body});
    my $said = qx($python -m openapi_spec_validator $file 2>&1);
    is $?, 0, 'openapi-spec-validator finds nothing wrong' or diag $said;
}

done_testing;
