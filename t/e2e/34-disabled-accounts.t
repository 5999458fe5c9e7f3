# Disabled accounts: nothing of theirs is good from the next request on, by whatever way they were disabled, and who may
# disable whom.
use v5.36;

use Test::More;
use Roster;

my $roster = Roster->new(
    config => {rate_limits => 'no', trusted_email_header => 'X-Forwarded-Email', trusted_proxies => '198.51.100.0/24'},
    api => {workers => 3});
my $primary = $roster->add_user(role => 'admin', created_at => 1);
my $admin = $roster->add_user(role => 'admin');
$roster->sql('INSERT INTO config (data) VALUES (?)',
    '{"auth": {"enable_api_keys": true}, "user": {"permissions": {"features": {"api_keys": true}}}}');

sub sign_in_trusted ($user) {
    return $roster->sign_in(
        '',
        password => '',
        client => '198.51.100.7',
        headers => ['X-Forwarded-Email' => $user->{email}, 'Content-Type' => 'application/json']);
}
sub key_of ($user) { return $roster->ask(POST => '/auths/api_key', $user)->{json}{api_key} }

# Every worker says the same: the answer of one of them.
sub on_all ($name, $status, $code, @request) {
    for my $answer ($roster->on_each_worker('api', sub { $roster->request(@request) })) {
        defined $code ? is_problem($answer, $status, $code, $name) : is($answer->{status}, $status, $name);
    }
}

# ---- In the tables ----

{
    my $user = $roster->add_user;
    my $session = sign_in_trusted($user)->{json}{token};
    my $key = key_of($user);
    my %with = (token => $user->{token}, session => $session, key => $key);
    my @as_key = (GET => '/auths/', headers => ['x-api-key' => $key]);
    on_all("before: $_", 200, undef, GET => '/auths/', token => $with{$_}) for sort keys %with;
    $roster->sql('UPDATE auth SET active = 0 WHERE id = ?', $user->{id});
    on_all("active = 0: $_", 401, 'INVALID_TOKEN', GET => '/auths/', token => $with{$_}) for sort keys %with;
    on_all('active = 0: x-api-key', 401, 'INVALID_TOKEN', @as_key);
    is_problem sign_in_trusted($user), 400, 'INVALID_CRED', 'active = 0: the trusted header signs nobody in';
    is_problem $roster->get(
        '/auths/', $session,
        client => '198.51.100.7',
        headers => ['X-Forwarded-Email' => $user->{email}]
        ),
        401, 'INVALID_TOKEN', '... nor keeps anybody in';
    my $answer = $roster->request(GET => '/auths/', cookie => $session);
    is_problem $answer, 401, 'INVALID_TOKEN', 'active = 0: a cookie';
    is_deeply [map { /^(\w+)=;/ } @{$answer->{set_cookie}}], ['token'], '... which is deleted';
    $answer = $roster->request(GET => '/auths/', cookie => $key);
    is_deeply [map { /^(\w+)=;/ } @{$answer->{set_cookie}}], ['token'], '... also where it holds a key';
    $roster->sql('UPDATE auth SET active = 1 WHERE id = ?', $user->{id});
    on_all("active = 1 again: $_", 200, undef, GET => '/auths/', token => $with{$_}) for sort keys %with;
    my $bare = $roster->add_user;
    $roster->sql('DELETE FROM auth WHERE id = ?', $bare->{id});
    on_all('without a row in auth', 200, undef, GET => '/auths/', token => $bare->{token});
}

# ---- POST /users/{id}/disable and /enable ----

subtest 'disable and enable' => sub {
    my $user = $roster->add_user;
    my $session = sign_in_trusted($user)->{json}{token};
    my $key = key_of($user);
    my $jti = Roster::claims_of($session)->{jti};
    is $roster->ask(POST => "/users/$user->{id}/disable", $admin)->{body}, 'true', 'disabled';
    is $roster->sql('SELECT active FROM auth WHERE id = ?', $user->{id}), 0, 'auth.active says so';
    on_all($_->[0], 401, 'INVALID_TOKEN', GET => '/auths/', token => $_->[1])
        for ['a session', $session], ['a token of another program', $user->{token}], ['a key', $key];
    is $roster->redis('EXISTS', "open-webui:auth:token:$jti:revoked"), 1, 'Redis knows of the session';
    cmp_ok $roster->redis('GET', "open-webui:auth:user:$user->{id}:revoked_at"), '>=', time - 60,
        '... and of all the others';
    is $roster->ask(POST => "/users/$user->{id}/disable", $admin)->{body}, 'true', 'twice is once';
    is $roster->ask(POST => "/api/v1/users/$user->{id}/enable/", $admin)->{body}, 'true', 'enabled';
    on_all($_->[0], 401, 'INVALID_TOKEN', GET => '/auths/', token => $_->[1])
        for ['the session stays ended', $session], ['so does the other token', $user->{token}];
    on_all('the key works again', 200, undef, GET => '/auths/', token => $key);
    is sign_in_trusted($user)->{status}, 200, 'they sign in again';
    is $roster->ask(POST => "/users/$user->{id}/enable", $admin)->{body}, 'true', 'twice is once';
    is $roster->sql('SELECT COUNT(*) FROM group_member WHERE user_id = ?', $user->{id}), 0, 'nothing else has changed';
};

subtest 'an account without a password' => sub {
    my $user = $roster->add_user;
    $roster->sql('DELETE FROM auth WHERE id = ?', $user->{id});
    my $signed_in = sign_in_trusted($user)->{json};
    is $roster->sql('SELECT COUNT(*) FROM auth WHERE id = ?', $signed_in->{id}), 0, 'it has no row in auth';
    is $roster->ask(POST => "/users/$signed_in->{id}/disable", $admin)->{body}, 'true', 'it is disabled all the same';
    is_problem $roster->ask(GET => '/auths/', $signed_in), 401, 'INVALID_TOKEN', 'its session is over';
    is_problem sign_in_trusted($user), 400, 'INVALID_CRED', 'it does not sign in';
    is $roster->sql('SELECT password FROM auth WHERE id = ?', $signed_in->{id}), '',
        'no password matches the row that it has now';
    is $roster->ask(POST => "/users/$signed_in->{id}/enable", $admin)->{body}, 'true', 'enabled';
    is sign_in_trusted($user)->{status}, 200, 'it signs in again';
};

subtest 'who may, and whom' => sub {
    my $user = $roster->add_user;
    for my $what (qw(disable enable)) {
        is_problem $roster->ask(POST => "/users/$primary->{id}/$what", $admin), 403, 'ACTION_PROHIBITED',
            "$what the primary administrator";
        is_problem $roster->ask(POST => "/users/$primary->{id}/$what", $primary), 403, 'ACTION_PROHIBITED',
            '... by themselves';
        is_problem $roster->ask(POST => "/users/$admin->{id}/$what", $admin), 403, 'ACTION_PROHIBITED', "$what oneself";
        is_problem $roster->ask(POST => "/users/nobody/$what", $admin), 400, 'USER_NOT_FOUND', "$what nobody";
        is_problem $roster->ask(POST => "/users/$user->{id}/$what", $user), 401, 'ACCESS_PROHIBITED', "$what as a user";
        is_problem $roster->request(POST => "/users/$user->{id}/$what"), 401, 'NOT_AUTHENTICATED', "$what as nobody";
        is_problem $roster->get("/users/$user->{id}/$what"), 405, 'METHOD_NOT_ALLOWED', "GET $what";
    }
    is $roster->ask(GET => '/auths/', $_)->{status}, 200, 'none of them was disabled' for $primary, $admin, $user;
    my $second = $roster->add_user(role => 'admin');
    is $roster->ask(POST => "/users/$second->{id}/disable", $admin)->{body}, 'true', 'another administrator';
    is_problem $roster->ask(GET => '/users/all', $second), 401, 'INVALID_TOKEN', '... is one no more';
};

# ---- A sign-in that was under way ----

{
    my $user = $roster->add_user;
    my $lock = Roster::Database->connect($roster->socket_path('mariadb'));
    $lock->run('START TRANSACTION');
    $lock->run('SELECT id FROM user WHERE id = ? FOR UPDATE', $user->{id});
    $lock->run('UPDATE auth SET active = 0 WHERE id = ?', $user->{id});
    my $result = in_background(sub { in_short(sign_in_trusted($user)) });
    ok $roster->wait_statement('.'), 'a sign-in waits';
    $lock->run('COMMIT');
    $lock->disconnect;
    is $result->(), '400 INVALID_CRED', 'a sign-in that waits while the account is disabled is refused';
    is $roster->sql('SELECT COUNT(*) FROM session WHERE user_id = ?', $user->{id}), 0,
        '... and leaves no session for later';
}

# ---- rosterctl ----

subtest 'rosterctl' => sub {
    my $user = $roster->add_user(name => 'Somebody');
    my $token = sign_in_trusted($user)->{json}{token};
    like(($roster->rosterctl('user', 'list', 'Somebody'))[1], qr/ STATE .*\n.* active /, 'user list: active');
    like(($roster->rosterctl('user', 'show', $user->{id}))[1], qr/^disabled +no$/m, 'user show: no');
    ok !$roster->ctl_json('user', 'list', 'Somebody')->[0]{disabled}, 'JSON: false';
    my ($status, $out) = $roster->rosterctl('user', 'disable', $user->{email});
    is $status, 0, 'user disable';
    like $out, qr/^Disabled Somebody .*sessions were ended/, '... says so';
    is_problem $roster->get('/auths/', $token), 401, 'INVALID_TOKEN', '... and is so';
    like(($roster->rosterctl('user', 'list', 'Somebody'))[1], qr/ disabled /, 'user list: disabled');
    like(($roster->rosterctl('user', 'show', $user->{id}))[1], qr/^disabled +yes$/m, 'user show: yes');
    is $roster->ctl_json('user', 'list', 'Somebody')->[0]{disabled}, JSON::PP::true, 'JSON of the list: true';
    is $roster->ctl_json('user', 'show', $user->{id})->{disabled}, JSON::PP::true, 'JSON of the one: true';
    is scalar(grep { $_->{disabled} } @{$roster->ctl_json('user', 'list')}),
        $roster->sql('SELECT COUNT(*) FROM auth WHERE active = 0'), 'of all of them these alone';
    my $fresh = $roster->token_for($user->{id}, iat => time + 1);
    like(
        ($roster->rosterctl('token', {input => $roster->token_for($user->{id})}))[1],
        qr/the account is disabled/,
        'rosterctl token says why');
    ($status, $out) = $roster->rosterctl('user', 'enable', $user->{id});
    is $status, 0, 'user enable';
    is sign_in_trusted($user)->{status}, 200, '... lets them in';
    ($status, $out) = $roster->rosterctl('user', 'disable', $primary->{email});
    is $status >> 8, 6, 'the oldest account is refused';
    like $out, qr/primary administrator/, '... with the reason';
    ($status, $out) = $roster->rosterctl('user', 'disable', 'nobody@example.org');
    is $status >> 8, 3, 'somebody whom there is not';
    $roster->sql('UPDATE auth SET active = 0 WHERE id = ?', $primary->{id});
    is(($roster->rosterctl('user', 'enable', $primary->{id}))[0], 0, 'one that was moved over disabled is let in');
    is $roster->ask(GET => '/auths/', $primary)->{status}, 200, '... even the oldest';
};

done_testing;
