# What pages for administrators ask beyond the original: filters of the list, accounts beside their rows, changes of many
# users, preconditions, sessions and API keys of everybody, and the status.
use v5.36;

use JSON::PP ();
use Test::More;
use Roster;

my ($true, $false) = (JSON::PP::true, JSON::PP::false);
my $roster = Roster->new(config => {rate_limits => 'no', last_active_interval => '1d'}, api => {workers => 2});
my $now = time;
# They were active before all that is looked for, and so lately that last_active_interval does not note them again.
my %seldom = (role => 'admin', last_active_at => $now - 20_000);
my $primary = $roster->add_user(%seldom, name => 'Primary', created_at => 1_000_000);
my $admin = $roster->add_user(%seldom, name => 'Admin', created_at => 1_000_001);
my %user;
for my $name (qw(Ada Berta Carla Dora Emma)) {
    $user{$name} = $roster->add_user(
        name => $name,
        email => lc "$name\@example.org",
        role => $name eq 'Dora' ? 'pending' : 'user',
        created_at => $now - 5000,
        last_active_at => $name eq 'Ada' ? $now : $name eq 'Berta' ? $now - 1000 : $now - 5000);
}
$roster->sql('UPDATE auth SET active = 0 WHERE id = ?', $user{Emma}{id});
$roster->sql("UPDATE auth SET password = '' WHERE id = ?", $user{Carla}{id});
$roster->sql("INSERT INTO `group` (id, user_id, name, updated_at) VALUES ('readers', 'x', 'Readers', 1)");
$roster->sql("INSERT INTO group_member (id, group_id, user_id) VALUES (UUID(), 'readers', ?)", $user{$_}{id})
    for qw(Ada Emma);

# The one fault of a 422.
sub is_fault ($answer, $type, @loc) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $faults = $answer->{status} == 422 ? $answer->{json}{detail} : [];
    return is_deeply [map { [$_->{type}, @{$_->{loc}}] } @$faults], [[$type, @loc]], "$type of @loc";
}

sub id ($name) { return $user{$name}{id} }

# The names that a list has.
sub names ($query) {
    my $json =
        $roster->call(users_list => 200, token => $admin->{token}, query => "?order_by=name&direction=asc&$query")
        ->{json};
    my @names = map { $_->{name} } @{$json->{users}};
    is $json->{total}, scalar @names, "total of $query";
    return "@names";
}

subtest 'filters' => sub {
    my @cases = (
        ['role=pending', 'Dora'],
        ['role=admin', 'Admin Primary'],
        ['group=readers', 'Ada Emma'],
        ['group=nobody', ''],
        ['disabled=true', 'Emma'],
        ['disabled=false', 'Ada Admin Berta Carla Dora Primary'],
        ['active_since=' . ($now - 1000), 'Ada Berta'],
        ['active_since=' . ($now - 9000), 'Ada Berta', 'who was never active since it was made is not in it'],
        ['active_since=' . ($now + 1000), ''],
        ['role=user&disabled=false&group=readers', 'Ada'],
        ['query=A&role=user', 'Ada Berta Carla Emma'],
        ['query=example.org&group=readers&disabled=true', 'Emma'],
        ['query=x&group=readers&active_since=' . ($now - 100), 'Ada'],
        ['query=zz&role=user', '']);
    for my $round ('by SQL', 'by the directory') {
        $roster->set_directives(directory_size => $round eq 'by SQL' ? 0 : undef);
        $roster->restart('roster');
        ok wait_until(20, sub { $roster->status->{directory} eq ($round eq 'by SQL' ? 'off' : 'ready') }), $round;
        is names($_->[0]), $_->[1], join ': ', $_->[0], $_->[2] // $round for @cases;
        for my $case (@cases) {
            my $answer = $roster->post("/users/bulk?$case->[0]", $admin,
                {action => 'delete', everybody => $true, dry_run => $true});
            is $answer->{json}{total}, scalar(() = $case->[1] =~ /\w+/g), "a change of many finds as many: $case->[0]";
        }
    }
    is_fault($roster->get("/users/?$_->[0]", $admin), $_->[1], query => $_->[0] =~ /^(\w+)/)
        for ['role=owner', 'enum'], ['role=', 'enum'], ['disabled=perhaps', 'bool_parsing'],
        ['active_since=monday', 'int_parsing'], ['group=%00', 'string_unicode'];
    is scalar @{$roster->get('/users/search?role=pending&disabled=true', $user{Ada})->{json}{users}}, 7,
        'a search that everybody may do has no filters';
};

subtest 'accounts beside their rows' => sub {
    my $session = $roster->new_session($user{Ada});
    $roster->sql('INSERT INTO api_key (id, user_id, `key`) VALUES (UUID(), ?, UUID())', id('Ada')) for 1, 2;
    my %account = map { ($_->{name} => $_->{account}) }
        @{$roster->call(users_list => 200, token => $admin->{token}, query => '?include=account')->{json}{users}};
    cmp_ok delete $account{Ada}{last_sign_in_at}, '>=', $now, 'when somebody signed in last';
    is_deeply $account{Ada}, {disabled => $false, has_password => $true, sessions => 1, api_keys => 2},
        'sessions and keys are counted';
    is_deeply $account{Emma},
        {disabled => $true, has_password => $true, sessions => 0, api_keys => 0, last_sign_in_at => undef},
        'a disabled one';
    is $account{Carla}{has_password}, $false, 'one without a password';
    for my $query ('', '?include=', '?include=everything') {
        my $row = $roster->call(users_list => 200, token => $admin->{token}, query => $query)->{json}{users}[0];
        ok !exists $row->{account}, "not where it is not asked for: '$query'";
    }
    $roster->sql('UPDATE user SET info = ? WHERE id = ?', '{"large":"' . 'x' x 20_000 . '"}', id('Berta'));
    my ($large) = grep { $_->{name} eq 'Berta' }
        @{$roster->call(users_list => 200, token => $admin->{token}, query => '?include=account')->{json}{users}};
    is length $large->{info}{large}, 20_000, 'a large document';
    is $large->{account}{disabled}, $false, '... and its account';
};

sub bulk ($body, $query = '') {
    return $roster->call(users_bulk => 200, token => $admin->{token}, json => $body, query => $query)->{json};
}

sub refusals ($result) {
    return {map { ($_->{id} => $_->{code}) } @{$result->{refused}}};
}
sub column ($column, $name) { return $roster->sql("SELECT $column FROM user WHERE id = ?", id($name)) }

subtest 'a preview changes nothing' => sub {
    my @ids = ((map { id($_) } qw(Ada Berta Ada)), $primary->{id}, $admin->{id}, 'nobody', 'x' x 300);
    for my $case (
        [{action => 'role', role => 'admin'}, 2, 2, {}],
        [
            {action => 'role', role => 'user'},
            0, 2, {$primary->{id}, 'ACTION_PROHIBITED', $admin->{id}, 'ACTION_PROHIBITED'}
        ],
        [{action => 'add_to_group', group_id => 'readers'}, 3, 1, {}],
        [{action => 'remove_from_group', group_id => 'readers'}, 1, 3, {}],
        [{action => 'disable'}, 2, 0, {$primary->{id}, 'ACTION_PROHIBITED', $admin->{id}, 'ACTION_PROHIBITED'}],
        [{action => 'enable'}, 0, 4, {}],
        [{action => 'delete'}, 2, 0, {$primary->{id}, 'ACTION_PROHIBITED', $admin->{id}, 'ACTION_PROHIBITED'}])
    {
        my ($what, $changed, $unchanged, $refused) = @$case;
        my $result = bulk({%$what, user_ids => \@ids, dry_run => $true});
        is_deeply [@$result{qw(changed unchanged)}], [$changed, $unchanged], "$what->{action}: so many";
        is_deeply refusals($result), {%$refused, nobody => 'USER_NOT_FOUND', 'x' x 300 => 'USER_NOT_FOUND'},
            '... and who is refused';
        is_deeply [@$result{qw(dry_run total changes next)}],
            [$true, $changed + $unchanged + 2 + keys %$refused, [], undef], '... of all of them, once each';
    }
    is $roster->sql('SELECT COUNT(*) FROM user'), 7, 'nobody is gone';
    is $roster->sql('SELECT COUNT(*) FROM group_member'), 2, 'nor in another group';
    is $roster->sql('SELECT COUNT(*) FROM auth WHERE active = 0'), 1, 'nor disabled';
};

subtest 'roles' => sub {
    my $before = column(updated_at => 'Dora');
    my $session = $roster->new_session($user{Dora});
    my $result = bulk({action => 'role', role => 'user', user_ids => [id('Dora'), id('Ada'), $primary->{id}]});
    is_deeply $result->{changes}, [{id => id('Dora'), role => 'pending'}], 'who was changed, and what they were';
    is_deeply [@$result{qw(changed unchanged)}], [1, 1], 'how many';
    is_deeply refusals($result), {$primary->{id} => 'ACTION_PROHIBITED'}, 'the primary administrator is spared';
    is column(role => 'Dora'), 'user', 'it is so';
    cmp_ok column(updated_at => 'Dora'), '>', $before, 'the row has changed';
    is_problem $roster->get('/auths/', $session), 401, 'INVALID_TOKEN', 'their sessions are over';
    is $roster->get('/auths/', $user{Ada})->{status}, 200, '... and no others';
    is $roster->redis('EXISTS', 'open-webui:auth:token:' . Roster::claims_of($session)->{jti} . ':revoked'), 1,
        'Redis knows';
};

subtest 'groups' => sub {
    my $result =
        bulk({action => 'add_to_group', group_id => 'readers', user_ids => [map { id($_) } qw(Ada Berta Dora)]});
    is_deeply [@$result{qw(changed unchanged)}], [2, 1], 'added';
    is names('group=readers'), 'Ada Berta Dora Emma', 'they are members';
    $result = bulk({action => 'remove_from_group', group_id => 'readers', everybody => $true}, '?query=a&role=user');
    is_deeply [sort map { $_->{id} } @{$result->{changes}}], [sort map { id($_) } qw(Ada Berta Dora Emma)],
        'removed all whom a query matches';
    is names('group=readers'), '', '... and nobody is in it';
    $roster->call(
        users_bulk => 'NOT_FOUND',
        token => $admin->{token},
        json => {action => $_, group_id => 'nothing', user_ids => []}
    ) for qw(add_to_group remove_from_group);
};

subtest 'disabled, enabled, deleted' => sub {
    my $session = $roster->new_session($user{Berta});
    my $result = bulk({action => 'disable', everybody => $true}, '?role=user&active_since=' . ($now - 1000));
    is_deeply [sort map { $_->{id} } @{$result->{changes}}], [sort map { id($_) } qw(Ada Berta)], 'disabled by a query';
    is_problem $roster->get('/auths/', $_), 401, 'INVALID_TOKEN', 'their tokens are refused' for $session, $user{Ada};
    $result = bulk({action => 'enable', everybody => $true}, '?disabled=true');
    is $result->{changed}, 3, 'enabled again';
    is $roster->sign_in($user{Berta})->{status}, 200, 'they sign in';
    $result = bulk({action => 'delete', user_ids => [id('Emma'), $admin->{id}, 'nobody']});
    is_deeply $result->{changes}, [{id => id('Emma'), role => 'user'}], 'deleted';
    is_deeply refusals($result), {$admin->{id} => 'ACTION_PROHIBITED', nobody => 'USER_NOT_FOUND'}, 'but for some';
    is names('query=emma'), '', 'nobody finds them';
    is $roster->sql('SELECT COUNT(*) FROM deleted_user WHERE id = ?', id('Emma')), 1, 'the directory is told';
};

subtest 'more than a request takes' => sub {
    $roster->sql("INSERT INTO user (id, email, name, role) SELECT CONCAT('many', seq), CONCAT('many', seq, '\@x.y'), "
            . "CONCAT('Many ', seq), 'pending' FROM seq_1_to_220");
    my $preview = bulk({action => 'role', role => 'user', everybody => $true, dry_run => $true}, '?query=many');
    is_deeply [@$preview{qw(total changed)}], [220, 220], 'a preview counts all';
    my $body = {action => 'role', role => 'user', everybody => $true};
    my $first = bulk($body, '?query=many');
    is_deeply [$first->{changed}, !!$first->{next}], [200, 1],
        'the first request changes some, and says where to go on';
    my $second = bulk({%$body, after => $first->{next}}, '?query=many');
    is_deeply [@$second{qw(changed unchanged next)}], [20, 0, undef], 'the next one the others';
    is $roster->sql("SELECT COUNT(*) FROM user WHERE id LIKE 'many%' AND role = 'user'"), 220, 'all are changed';
    is_fault(
        $roster->post('/users/bulk', $admin, {action => 'delete', user_ids => [1]}),
        'string_type',
        body => 'user_ids',
        0);
    is_fault($roster->post('/users/bulk', $admin, {action => 'delete', user_ids => [('x') x 1001]}),
        'too_long', body => 'user_ids');
};

subtest 'bodies' => sub {
    for my $case (
        [{action => 'promote', user_ids => []}, 'enum', 'action'],
        [{action => 'role', user_ids => []}, 'missing', 'role'],
        [{action => 'role', role => 'owner', user_ids => []}, 'enum', 'role'],
        [{action => 'add_to_group', user_ids => []}, 'missing', 'group_id'],
        [{action => 'delete'}, 'missing', 'user_ids'],
        [{action => 'delete', everybody => $false}, 'missing', 'user_ids'],
        [{action => 'delete', everybody => $true, user_ids => []}, 'missing', 'user_ids'])
    {
        my ($body, $type, $field) = @$case;
        is_fault($roster->post('/users/bulk', $admin, $body), $type, body => $field);
    }
    is_problem $roster->post('/users/bulk', $user{Dora}, {action => 'delete', user_ids => []}), 401, 'INVALID_TOKEN',
        'whose session was ended';
    my $somebody = $roster->add_user;
    $roster->call(users_bulk => 'ACCESS_PROHIBITED', token => $somebody->{token}, json => {});
};

subtest 'one who fails does not keep the others' => sub {
    my @ids = map { "many$_" } 1 .. 4;
    $roster->sql("CREATE TRIGGER refuse BEFORE DELETE ON user FOR EACH ROW SET \@refused = IF(OLD.id = 'many3', "
            . '(SELECT 1 UNION SELECT 2), 0)');
    my $result = bulk({action => 'delete', user_ids => \@ids});
    is_deeply [map { $_->{id} } @{$result->{changes}}], ['many1', 'many2'], 'those before are done';
    is_deeply refusals($result), {many3 => 'DELETE_USER_ERROR', many4 => 'UNAVAILABLE'},
        'the failure is told, and who was not reached';
    is_deeply [map { $_->[0] }
            $roster->sql("SELECT id FROM user WHERE id IN ('many1', 'many2', 'many3', 'many4') ORDER BY id")],
        ['many3', 'many4'], '... and it is so';
    $roster->call(
        users_bulk => 'DELETE_USER_ERROR',
        token => $admin->{token},
        json => {action => 'delete', user_ids => ['many3', 'many4']});
    $roster->sql('DROP TRIGGER refuse');
};

subtest 'a list of people before it is sent' => sub {
    my @emails = (
        'new@example.org', 'ADA@example.org', 'nobody', "dora\@example.org",
        'x' x 300 . '@example.org', '', 'new@example.org');
    is_deeply [map { "$_->{code} $_->{email}" }
            @{$roster->call(user_add_check => 200, token => $admin->{token}, json => {emails => \@emails})->{json}}],
        [
        'EMAIL_TAKEN ADA@example.org',
        'INVALID_EMAIL_FORMAT nobody',
        'EMAIL_TAKEN dora@example.org',
        "INVALID_EMAIL_FORMAT $emails[4]",
        'INVALID_EMAIL_FORMAT '
        ],
        'who is there, and what is no address';
    $roster->sql("UPDATE user SET email = ? WHERE id = ?", "d\x{f3}ra\@example.org", id('Dora'));
    is_deeply [
        map { $_->{code} } @{
            $roster->call(
                user_add_check => 200,
                token => $admin->{token},
                json => {emails => ["do\x{301}ra\@example.org", "dora\@example.org", "d\x{f3}ra\x{ff20}example.org"]}
            )->{json}
        }
        ],
        ['EMAIL_TAKEN', 'INVALID_EMAIL_FORMAT'], 'letters in another form';
    is_deeply $roster->call(user_add_check => 200, token => $admin->{token}, json => {emails => []})->{json}, [],
        'nothing';
    my $answer = $roster->call(
        user_add_check => 200,
        token => $admin->{token},
        json => {emails => [map { "free$_\@example.org" } 1 .. 1000]});
    is_deeply $answer->{json}, [], 'a thousand free ones';
    is_fault($roster->post('/auths/add/check', $admin, {emails => [map { "free$_\@example.org" } 0 .. 1000]}),
        'too_long', body => 'emails');
};

subtest 'a password for one sign-in' => sub {
    my %new = (name => 'Once', email => 'once@example.org', password => 'good for one sign-in', role => 'user');
    my $added = $roster->call(user_add => 200, token => $admin->{token}, json => {%new, must_change => $true})->{json};
    $roster->secret($added->{token});
    is_problem $roster->get('/users/user/status', $added->{token}), 403, 'PASSWORD_CHANGE_REQUIRED',
        'nothing goes before the password is changed';
    my %typed = map { ($_ => $new{$_}) } qw(email password);
    is_problem $roster->request(POST => '/auths/signin', json => \%typed), 403, 'PASSWORD_CHANGE_REQUIRED',
        '... nor without a new one';
    $roster->call(sign_in => 200, json => {%typed, new_password => 'another good battery'});
    for my $must_change ($false, undef) {
        my $other = $roster->call(
            user_add => 200,
            token => $admin->{token},
            json => {%new, email => ($must_change // 'x') . '@example.org', must_change => $must_change}
        )->{json};
        is $roster->get('/users/user/status', $other->{token})->{status}, 200, 'others need not';
    }
};

subtest 'preconditions' => sub {
    my $shown = $roster->get('/users/' . id('Ada'), $admin)->{json};
    my %body = map { ($_ => $shown->{$_}) } qw(role name email profile_image_url);
    my @as = (in => {user_id => id('Ada')}, token => $admin->{token});
    my $first = $roster->call(
        user_update => 200,
        @as,
        json => {%body, name => 'Ada A', if_updated_at => $shown->{updated_at}}
    )->{json};
    cmp_ok $first->{updated_at}, '>', $shown->{updated_at}, 'each change has a time of its own';
    $roster->call(
        user_update => 'PRECONDITION_FAILED',
        @as,
        json => {%body, name => 'Ada B', if_updated_at => $shown->{updated_at}});
    is column(name => 'Ada'), 'Ada A', 'nothing was changed';
    my $second = $roster->call(
        user_update => 200,
        @as,
        json => {%body, name => 'Ada C', if_updated_at => $first->{updated_at}}
    )->{json};
    cmp_ok $second->{updated_at}, '>', $first->{updated_at}, 'also in the same second';
    $roster->call(user_update => 200, @as, json => {%body, name => 'Ada', if_updated_at => undef});
    $roster->call(user_update => 200, @as, json => {%body, name => 'Ada'});

    my $group = $roster->call(group_get => 200, in => {group_id => 'readers'}, token => $admin->{token})->{json};
    my @group = (in => {group_id => 'readers'}, token => $admin->{token});
    my %change = (name => 'Readers', description => 'x', if_updated_at => $group->{updated_at});
    $roster->call(group_update => 200, @group, json => \%change);
    $roster->call(group_update => 'PRECONDITION_FAILED', @group, json => {%change, description => 'y'});
    is $roster->get('/groups/id/readers', $admin)->{json}{description}, 'x', 'the group stays';
    $roster->call(group_update => 200, @group, json => {%change, if_updated_at => undef});

    my $settings = $roster->settings($admin);
    my @admin = (token => $admin->{token});
    $roster->call(
        admin_config_set => 200,
        @admin, json => {%$settings, WEBUI_URL => 'https://a.example', if_was => $settings});
    is $roster->settings($admin)->{WEBUI_URL}, 'https://a.example', 'settings that were as they were seen';
    ok !exists $roster->settings($admin)->{if_was}, '... which no answer has';
    $roster->call(admin_config_set => 'PRECONDITION_FAILED', @admin, json => {%$settings, if_was => $settings});
    is $roster->settings($admin)->{WEBUI_URL}, 'https://a.example', 'settings that were not';
    $roster->call(
        admin_config_set => 200,
        @admin,
        json => {%$settings, if_was => {ENABLE_SIGNUP => $settings->{ENABLE_SIGNUP}}});
    $roster->call(admin_config_set => 'PRECONDITION_FAILED', @admin, json => {%$settings, if_was => {NOTHING => 1}});

    my $permissions = $roster->call(default_permissions_get => 200, @admin)->{json};
    my $other = {%$permissions, chat => {%{$permissions->{chat}}, delete => $false}};
    is_deeply $roster->call(default_permissions_set => 200, @admin, json => {%$other, if_was => $permissions})->{json},
        $other, 'default permissions that were as they were seen, and nothing else in the answer';
    $roster->call(
        default_permissions_set => 'PRECONDITION_FAILED',
        @admin, json => {%$permissions, if_was => $permissions});
    is_deeply $roster->call(default_permissions_get => 200, @admin)->{json}, $other, 'the permissions stay';
    $roster->call(
        default_permissions_set => 200,
        @admin,
        json => {%$permissions, if_was => {chat => {delete => $false}}});
    is_deeply $roster->call(default_permissions_get => 200, @admin)->{json}, $permissions, 'a part of them is enough';
};

subtest 'sessions and keys of everybody' => sub {
    my $mine = $roster->new_session($admin);
    my $theirs_too = $roster->new_session($user{Ada});
    my $page = $roster->call(admin_sessions => 200, token => $mine)->{json};
    is $page->{total}, $roster->sql('SELECT COUNT(*) FROM session WHERE revoked_at IS NULL'), 'all of them are counted';
    my ($current) = grep { $_->{current} } @{$page->{sessions}};
    is_deeply [@$current{qw(user_id name email jti)}], [@$admin{qw(id name email)}, Roster::claims_of($mine)->{jti}],
        'one of them is this one';
    my $of_ada = $roster->call(admin_sessions => 200, token => $mine, query => '?user_id=' . id('Ada'))->{json};
    is_deeply [map { $_->{email} } @{$of_ada->{sessions}}], [$user{Ada}{email}], 'of one user';
    is $roster->call(admin_sessions => 200, token => $mine, query => '?query=AD%C3%81@')->{json}{total}, 1,
        'found by the address';
    is $roster->call(admin_sessions => 200, token => $mine, query => '?query=%25')->{json}{total}, 0,
        '% is a character';
    $roster->sql(
        "INSERT INTO session (jti, user_id, created_at) SELECT CONCAT('s', seq), ?, 1000 + seq FROM seq_1_to_70",
        id('Berta'));
    my @seen;
    for my $number (1 .. 4) {
        my $json = $roster->call(admin_sessions => 200, token => $mine, query => "?page=$number&user_id=" . id('Berta'))
            ->{json};
        push @seen, map { $_->{jti} } grep { $_->{jti} =~ /^s\d+$/ } @{$json->{sessions}};
    }
    is_deeply \@seen, [map { "s$_" } reverse 1 .. 70], 'pages, the newest first';

    # Behind each other, three of which began in each second; and one begins while they are read.
    $roster->sql("UPDATE session SET created_at = 1000 + SUBSTR(jti, 2) DIV 3 WHERE jti LIKE 's%'");
    my ($total, $next, @behind) = (0, '');
    do {
        my $query = '?user_id=' . id('Berta') . ($next ne '' ? "&after=$next" : '');
        my $json = $roster->call(admin_sessions => 200, token => $mine, query => $query)->{json};
        push @behind, map { $_->{jti} } @{$json->{sessions}};
        ($total, $next) = @$json{qw(total next)};
        $roster->sql("INSERT IGNORE INTO session (jti, user_id, created_at) VALUES ('late', ?, 2000)", id('Berta'));
    } while defined $next;
    is_deeply [grep { /^s\d+$/ } @behind],
        [map { $_->[0] }
            $roster->sql("SELECT jti FROM session WHERE jti LIKE 's%' ORDER BY created_at DESC, jti DESC")],
        'behind each other, whatever begins meanwhile';
    is $total, 1 + @behind, '... which is counted';
    is_fault($roster->get("/auths/admin/sessions?after=$_", $mine), 'string_pattern_mismatch', query => 'after')
        for '', 'x', 'x:s1', '1', ':s1';
    is_deeply $roster->call(admin_sessions => 200, token => $mine, query => '?after=1:s1')->{json}{sessions}, [],
        'behind the last one';

    $roster->sql('DELETE FROM api_key');
    $roster->change_settings($admin, ENABLE_API_KEYS => $true);
    my $key =
        $roster->call(api_keys_create => 200, token => $mine, json => {name => 'backup', routes => ['/users']})->{json};
    my $unnamed = $roster->call(api_key_set => 200, token => $mine)->{json}{api_key};
    my $keys = $roster->call(admin_api_keys => 200, token => $mine)->{json};
    is $keys->{total}, 2, 'two keys';
    is $keys->{next}, undef, '... and no more';
    my ($named) = grep { !$_->{primary} } @{$keys->{api_keys}};
    is_deeply [@$named{qw(id name routes user_id email)}], [$key->{id}, 'backup', ['/users'], @$admin{qw(id email)}],
        'whose, and for what';
    unlike $named->{api_key}, qr/\Q$key->{api_key}\E/, '... masked';
    is $roster->call(admin_api_keys => 200, token => $mine, query => "?user_id=$_->[0]&query=$_->[1]")->{json}{total},
        $_->[2], "keys of $_->[0] $_->[1]"
        for [$admin->{id}, '', 2], [$admin->{id}, 'carla', 0], [id('Ada'), '', 0];
    $roster->call(admin_api_key_delete => 200, in => {key_id => $key->{id}}, token => $mine);
    is_problem $roster->get('/users/user/status', $key->{api_key}), 401, 'INVALID_TOKEN', 'a removed key is refused';
    $roster->call(admin_api_key_delete => 'API_KEY_NOT_FOUND', in => {key_id => $key->{id}}, token => $mine);
    $roster->call(admin_api_key_delete => 'SESSION_REQUIRED', in => {key_id => 'x'}, token => $unnamed);
    my ($primary_key) = grep { $_->{primary} } @{$keys->{api_keys}};
    $roster->call(admin_api_key_delete => 200, in => {key_id => $primary_key->{id}}, token => $mine);
};

subtest 'the status, from elsewhere' => sub {
    my $answer = $roster->call(admin_status => 200, token => $admin->{token}, client => '198.51.100.7');
    is_deeply [sort keys %{$answer->{json}}], [sort keys %{$roster->status}], 'what /status says';
    is $answer->{json}{mariadb}, 'present', '... as it is';
    is_deeply [grep { !defined $_->{waiting} } values %{$answer->{json}{pools}}], [],
        '... with how many wait, which only the pool of the status may ask the kernel';
    is $roster->request(GET => '/status', client => '198.51.100.7')->{status}, 404, 'which is not for others';
    is_problem $roster->request(GET => '/auths/admin/status', client => '198.51.100.7'), 401, 'NOT_AUTHENTICATED',
        'nor is this';
};

done_testing;
