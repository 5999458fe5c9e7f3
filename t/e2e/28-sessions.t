# Sessions end: by each event, with Redis up, away and emptied, on the next request of every worker. And the lists of
# them.
use v5.36;
use utf8;

use Encode ();
use Test::More;
use Roster;
use Time::HiRes ();

binmode Test::More->builder->$_, ':encoding(UTF-8)' for qw(output failure_output);

my $roster = Roster->new(config => {rate_limits => 'no', redis_timeout => '200ms'}, api => {workers => 3});
my $admin = $roster->add_user(role => 'admin', created_at => 1_000_000);
my $new_password = 'another password altogether';

# What each worker says of a token: "200" where all agree that it is good, "401 INVALID_TOKEN" where all agree that it
# is not.
sub state_of ($token) {
    my %states = map { (in_short($_) => 1) } $roster->on_each_worker('api', sub { $roster->get('/auths/', $token) });
    return join ', ', sort keys %states;
}
my ($good, $over) = ('200', '401 INVALID_TOKEN');

sub update_user ($user, %changes) {
    return $roster->ask(
        POST => "/users/$user->{id}/update",
        $admin->{token},
        json => {(map { ($_ => $user->{$_}) } qw(role name email)), profile_image_url => '/user.png', %changes});
}

# ---- Events ----
#
# Each gets a user with tokens: `own`, with which it happens; `other`, a second session; `foreign`, a token of another
# program under the same key; `bare`, one without a jti. It tells which of them are over afterwards.

my %events = (
    'sign-out' => [sub ($user, $tokens) { $roster->ask(GET => '/auths/signout', $tokens->{own}) }, 'own'],
    'sign-out by cookie' =>
        [sub ($user, $tokens) { $roster->request(GET => '/auths/signout', cookie => $tokens->{own}) }, 'own'],
    'sign-out with a token of another program' =>
        [sub ($user, $tokens) { $roster->ask(GET => '/auths/signout', $tokens->{foreign}) }, 'foreign'],
    'the password is changed' => [
        sub ($user, $tokens) {
            $roster->ask(
                POST => '/auths/update/password',
                $tokens->{own}, json => {password => $user->{password}, new_password => $new_password});
        },
        'other foreign bare'
    ],
    'the password is changed, with a token of another program' => [
        sub ($user, $tokens) {
            $roster->ask(
                POST => '/auths/update/password',
                $tokens->{foreign}, json => {password => $user->{password}, new_password => $new_password});
        },
        'own other bare'
    ],
    'the password is set by an administrator' =>
        [sub ($user, $tokens) { update_user($user, password => $new_password) }, 'own other foreign bare'],
    'the role is changed' => [sub ($user, $tokens) { update_user($user, role => 'pending') }, 'own other foreign bare'],
    'the role is raised' => [sub ($user, $tokens) { update_user($user, role => 'admin') }, 'own other foreign bare'],
    'the user is deleted' => [
        sub ($user, $tokens) { $roster->ask(DELETE => "/users/$user->{id}", $admin->{token}) },
        'own other foreign bare'
    ],
    'sign-out everywhere' =>
        [sub ($user, $tokens) { $roster->ask(DELETE => '/auths/sessions', $tokens->{own}) }, 'own other foreign bare'],
    'one session is ended' => [
        sub ($user, $tokens) {
            $roster->ask(DELETE => '/auths/sessions/' . Roster::claims_of($tokens->{other})->{jti}, $tokens->{own});
        },
        'other'
    ],
    'the present session is ended' => [
        sub ($user, $tokens) {
            $roster->ask(DELETE => '/auths/sessions/' . Roster::claims_of($tokens->{own})->{jti}, $tokens->{own});
        },
        'own'
    ],
    'all sessions are ended by an administrator' => [
        sub ($user, $tokens) { $roster->ask(DELETE => "/users/$user->{id}/sessions", $admin->{token}) },
        'own other foreign bare'
    ],
    'one session is ended by an administrator' => [
        sub ($user, $tokens) {
            $roster->ask(
                DELETE => "/users/$user->{id}/sessions/" . Roster::claims_of($tokens->{other})->{jti},
                $admin->{token});
        },
        'other'
    ],
    'nothing that concerns sessions is changed' => [
        sub ($user, $tokens) { update_user($user, name => 'Another', email => "x$user->{email}", password => '') },
        ''
    ]);

my %redis = (
    'up' => [sub { }, sub { }],
    'away' => [sub { $roster->kill('redis') }, sub { }],
    'emptied' => [sub { }, sub { $roster->redis('FLUSHALL') }],
    'hanging' => [
        sub {
            $roster->pause('redis');
            Time::HiRes::sleep(0.1);
            $roster->ask(GET => '/auths/', $admin->{token}) for 1 .. 3;
        },
        sub { }
    ]);

for my $state ('up', 'emptied', 'away', 'hanging') {
    my ($before, $after) = @{$redis{$state}};
    my @people;
    for my $name (sort keys %events) {
        my $user = $roster->add_user;
        my $tokens = {
            own => $roster->new_session($user),
            other => $roster->new_session($user),
            foreign => $user->{token},
            bare => $roster->jwt({id => $user->{id}, iat => time, exp => time + 3600})
        };
        push @people, [$name, $user, $tokens];
    }
    if ($state eq 'up') {
        is state_of($_->[2]{$_->[3]}), $good, "before: a token of $_->[3]" for map {
            my $person = $_;
            map { [@$person, $_] } sort keys %{$person->[2]}
        } $people[0];
    }
    $before->();
    for my $person (@people) {
        my ($name, $user, $tokens) = @$person;
        subtest "Redis is $state: $name" => sub {
            my ($event, $ended) = @{$events{$name}};
            my %ended = map { ($_ => 1) } split / /, $ended;
            # The event happens on one worker and the others are asked first, then that one.
            my $answer = $event->($user, $tokens);
            is $answer->{status}, 200, 'it happens' or diag $answer->{body};
            $after->();
            is state_of($tokens->{$_}), $ended{$_} ? $over : $good,
                "$_ is " . ($ended{$_} ? 'over' : 'good') . ' for each worker'
                for sort keys %$tokens;
        };
    }
    if ($state eq 'hanging') { $roster->resume('redis') }
    if ($state eq 'away') {
        $roster->start('redis');
        Time::HiRes::sleep(1.1);    # so long a worker does not try again
        for my $person (grep { $_->[0] eq 'sign-out' || $_->[0] eq 'the password is changed' } @people) {
            is state_of($person->[2]{$person->[0] eq 'sign-out' ? 'own' : 'foreign'}), $over,
                "Redis is back, and knows nothing: after '$person->[0]' the token is still over";
        }
    }
}
Time::HiRes::sleep(1.1);

# ---- What goes on ----

subtest 'the session that changes its own password goes on' => sub {
    my $user = $roster->add_user;
    my $token = $roster->new_session($user);
    my $password = $user->{password};
    for my $round (1 .. 3) {
        my $other = $roster->new_session($user, password => $password);
        my $next = "password number $round";
        is $roster->ask(
            POST => '/auths/update/password',
            $token, json => {password => $password, new_password => $next}
        )->{status}, 200, "change $round";
        is state_of($token), $good, 'it goes on';
        is state_of($other), $over, 'the other one is over';
        is state_of($roster->new_session($user, password => $next)), $good, 'a new one, in the same second, is good';
        $password = $next;
    }
    is_problem $roster->ask(
        POST => '/auths/update/password',
        $token, json => {password => 'wrong', new_password => 'some other password'}
        ),
        400, 'INCORRECT_PASSWORD', 'a change that fails';
    is state_of($roster->new_session($user, password => $password)), $good, 'ends nothing';
    is $roster->ask(DELETE => '/auths/sessions', $token)->{status}, 200, 'sign-out everywhere';
    is state_of($token), $over, 'ends it as well, though it was kept before';
    is state_of($roster->new_session($user, password => $password)), $good, 'a sign-in in the same second is good';

    Time::HiRes::sleep(1.1);
    my $foreign = $roster->token_for($user->{id}, jti => 'a-jti-of-another-program');
    is $roster->ask(
        POST => '/auths/update/password',
        $foreign, json => {password => $password, new_password => 'the last password'}
    )->{status}, 200, 'a change with a token of another program';
    is state_of($foreign), $good, 'it goes on, too';
    is state_of($roster->token_for($user->{id}, iat => time - 1)), $over, 'another such token is over';
    Time::HiRes::sleep(1.1);
    is state_of($roster->token_for($user->{id})), $good, 'one that was issued later is good';

    my $self = $roster->add_user(role => 'admin');
    my $own = $roster->new_session($self);
    my $second = $roster->new_session($self);
    is $roster->ask(
        POST => "/users/$self->{id}/update",
        $own,
        json =>
            {(map { ($_ => $self->{$_}) } qw(role name email)), profile_image_url => '', password => 'set by oneself'}
        )->{status}, 200,
        'an administrator sets their own password at /users';
    is state_of($own), $good, 'and goes on';
    is state_of($second), $over, 'elsewhere it is over';
};

subtest 'an API key is no session' => sub {
    my $person = $roster->add_user(role => 'admin');
    my $config = $roster->ask(GET => '/auths/admin/config', $admin->{token})->{json};
    $roster->ask(
        POST => '/auths/admin/config',
        $admin->{token}, json => {%$config, ENABLE_API_KEYS => JSON::PP::true});
    my $session = $roster->new_session($person);
    my $key = $roster->ask(POST => '/auths/api_key', $session)->{json}{api_key};
    my @own = (
        '/auths/sessions', '/auths/sessions/' . Roster::claims_of($session)->{jti},
        "/users/$person->{id}/sessions", "/users/$person->{id}/sessions/" . Roster::claims_of($session)->{jti});
    is_problem $roster->ask(DELETE => $_, $key), 403, 'SESSION_REQUIRED', "DELETE $_ with a key" for @own;
    is $roster->ask(GET => '/auths/signout', $key)->{body}, '{"status":true}', 'a sign-out with a key';
    is state_of($session), $good, 'ends nothing';
    is scalar @{$roster->ask(GET => '/auths/sessions', $key)->{json}}, 1, 'but a key reads the list';
    is $roster->ask(DELETE => '/auths/sessions', $session)->{status}, 200, 'sign-out everywhere, with the session';
    is state_of($session), $over, 'ends it';
    is state_of($key), $good, 'but not the key';
    is_deeply $roster->ask(GET => '/auths/sessions', $key)->{json}, [], 'the list of sessions is empty';
};

# ---- Lists ----

subtest 'lists' => sub {
    my ($user, $other) = ($roster->add_user, $roster->add_user);
    my $now = time;
    is_deeply $roster->ask(GET => '/auths/sessions', $user->{token})->{json}, [], 'none was signed in here';
    my $first = $roster->new_session(
        $user,
        password => $user->{password},
        client => '192.0.2.1',
        headers => ['User-Agent' => 'First/1.0', 'Content-Type' => 'application/json']);
    my $second = $roster->new_session(
        $user,
        password => $user->{password},
        client => '2001:db8::1',
        headers =>
            ['User-Agent' => Encode::encode('UTF-8', 'Sécond ') . 'x' x 3000, 'Content-Type' => 'application/json']);
    my $third = $roster->new_session(
        $user,
        password => $user->{password},
        headers => ['User-Agent' => "bad \xff\xfe", 'Content-Type' => 'application/json']);
    $roster->new_session($other);
    $roster->sql('UPDATE session SET created_at = created_at - ?, last_seen_at = last_seen_at - 100 WHERE jti = ?', @$_)
        for [20, Roster::claims_of($first)->{jti}], [10, Roster::claims_of($second)->{jti}];
    my $list = $roster->ask(GET => '/auths/sessions', $first)->{json};
    is_deeply [map { $_->{jti} } @$list], [map { Roster::claims_of($_)->{jti} } $third, $second, $first],
        "one's own, newest first";
    is_deeply [sort keys %{$list->[0]}],
        [sort qw(jti created_at last_seen_at expires_at idle_at address user_agent current)],
        'what is told of each';
    is_deeply [map { $_->{current} ? 1 : 0 } @$list], [0, 0, 1], 'which one is the present one';
    is_deeply [map { $_->{address} } @$list], ['127.0.0.1', '2001:db8::1', '192.0.2.1'], 'the addresses';
    is $list->[2]{user_agent}, 'First/1.0', 'the user agent';
    is $list->[1]{user_agent}, 'Sécond ' . 'x' x 504, '... as much of it as is kept';
    is $list->[0]{user_agent}, undef, '... null where it is no UTF-8';
    cmp_ok abs($list->[0]{created_at} - $now), '<', 5, 'when it began';
    cmp_ok abs($list->[0]{expires_at} - $now - 28 * 86400), '<', 5, 'when it ends';
    ok wait_until(
        5,
        sub { $roster->sql('SELECT last_seen_at FROM session WHERE jti = ?', Roster::claims_of($first)->{jti}) >= $now }
        ),
        'last_seen_at follows';
    $roster->sql('UPDATE session SET last_seen_at = ? WHERE jti = ?', $now - 30, Roster::claims_of($first)->{jti});
    $roster->ask(GET => '/auths/', $first) for 1 .. 6;
    is $roster->sql('SELECT last_seen_at FROM session WHERE jti = ?', Roster::claims_of($first)->{jti}), $now - 30,
        '... once in last_active_interval';
    is_deeply $roster->ask(GET => "/users/$user->{id}/sessions", $admin->{token})->{json}[2]{jti},
        Roster::claims_of($first)->{jti},
        'an administrator sees the same';
    is scalar(grep { $_->{current} } @{$roster->ask(GET => "/users/$user->{id}/sessions", $admin->{token})->{json}}), 0,
        '... none of which is theirs';
    is_problem $roster->ask(GET => "/users/$user->{id}/sessions", $second), 401, 'ACCESS_PROHIBITED', 'others do not';
    is_problem $roster->ask(GET => '/users/nobody/sessions', $admin->{token}), 400, 'USER_NOT_FOUND', 'of nobody';
    my $pending = $roster->add_user(role => 'pending');
    is scalar @{$roster->ask(GET => '/auths/sessions', $roster->new_session($pending))->{json}}, 1,
        'somebody pending sees theirs';

    $roster->sql('UPDATE session SET expires_at = ? WHERE jti = ?', $now - 5, Roster::claims_of($third)->{jti});
    $roster->ask(GET => '/auths/signout', $second);
    is_deeply [map { $_->{jti} } @{$roster->ask(GET => '/auths/sessions', $first)->{json}}],
        [Roster::claims_of($first)->{jti}],
        'those that are over, in whatever way, are not listed';
    $roster->sql('UPDATE session SET expires_at = NULL WHERE jti = ?', Roster::claims_of($first)->{jti});
    is $roster->ask(GET => '/auths/sessions', $first)->{json}[0]{expires_at}, undef, 'one without an end';
};

# ---- Who may end what ----

subtest 'ending' => sub {
    my ($user, $other) = ($roster->add_user, $roster->add_user);
    my ($own, $second, $theirs) =
        ($roster->new_session($user), $roster->new_session($user), $roster->new_session($other));
    is_problem $roster->ask(DELETE => '/auths/sessions/' . Roster::claims_of($theirs)->{jti}, $own), 404, 'NOT_FOUND',
        "somebody else's session is not found";
    is_problem $roster->ask(DELETE => '/auths/sessions/nothing', $own), 404, 'NOT_FOUND',
        'nor is one that there is not';
    is_problem $roster->ask(
        DELETE => "/users/$user->{id}/sessions/" . Roster::claims_of($theirs)->{jti},
        $admin->{token}
        ),
        404, 'NOT_FOUND',
        'nor one of another user, for an administrator';
    is_problem $roster->ask(DELETE => "/users/$other->{id}/sessions", $own), 401, 'ACCESS_PROHIBITED',
        'users end no sessions of others';
    is_problem $roster->ask(DELETE => "/users/$user->{id}/sessions/" . Roster::claims_of($second)->{jti}, $own), 401,
        'ACCESS_PROHIBITED',
        'not even their own at that path';
    is_problem $roster->ask(DELETE => '/users/nobody/sessions', $admin->{token}), 400, 'USER_NOT_FOUND',
        'sessions of nobody';
    is_problem $roster->ask(DELETE => '/users/nobody/sessions/x', $admin->{token}), $_->[0], $_->[1],
        'a session of nobody'
        for [400, 'USER_NOT_FOUND'];
    is state_of($_), $good, 'none of this has ended anything' for $own, $second, $theirs;
    is $roster->ask(DELETE => '/auths/sessions/' . Roster::claims_of($second)->{jti}, $own)->{body}, 'true',
        'a session of one\'s own';
    is state_of($second), $over, 'is over';
    is_problem $roster->ask(DELETE => '/auths/sessions/' . Roster::claims_of($second)->{jti}, $own), 404, 'NOT_FOUND',
        'once';
    my $answer = $roster->ask(DELETE => '/auths/sessions', $own);
    is $answer->{body}, 'true', 'all of them';
    is scalar(grep { /^token=;/ } @{$answer->{set_cookie}}), 1, 'and the cookie goes';
    is_problem $roster->ask(DELETE => '/auths/sessions', $own), 401, 'INVALID_TOKEN', 'afterwards one is nobody';
    is state_of($theirs), $good, "others' go on";
    is $roster->ask(DELETE => "/users/$admin->{id}/sessions", $admin->{token})->{body}, 'true',
        'an administrator ends their own';
    is state_of($admin->{token}), $over, 'all of them';
};

# ---- Other programs ----

subtest 'other programs read the revocations' => sub {
    my $user = $roster->add_user;
    my @tokens = map { $roster->new_session($user) } 1 .. 3;
    my $known = sub ($token) {
        $roster->redis('EXISTS', 'open-webui:auth:token:' . Roster::claims_of($token)->{jti} . ':revoked');
    };
    $roster->ask(DELETE => '/auths/sessions/' . Roster::claims_of($tokens[1])->{jti}, $tokens[0]);
    is_deeply [map { $known->($_) } @tokens], [0, 1, 0], 'one that was ended';
    $roster->ask(DELETE => '/auths/sessions', $tokens[0]);
    is_deeply [map { $known->($_) } @tokens], [1, 1, 1], 'all that were';
    my $gone = $roster->add_user;
    my $token = $roster->new_session($gone);
    my $root = $roster->add_user(role => 'admin');
    is $roster->ask(DELETE => "/users/$gone->{id}", $root->{token})->{body}, 'true', 'a user is deleted';
    is $known->($token), 1, 'their sessions are told, too';
    cmp_ok
        abs(
        29 * 86400 - $roster->redis('TTL', 'open-webui:auth:token:' . Roster::claims_of($token)->{jti} . ':revoked')),
        '<', 60,
        'for as long as they would live, and a day more for clocks that differ';

    # Redis loses everything: the next request that asks it sees the marker missing, and all of it is told again.
    $roster->redis('FLUSHALL');
    is $known->($tokens[1]), 0, 'Redis has forgotten';
    $roster->ask(GET => '/users/user/status', $roster->new_session($roster->add_user));
    ok wait_until(5, sub { $known->($tokens[1]) && $known->($tokens[0]) }), 'and is told again after the next request';
    is $known->($token), 0, 'but for those whose user is gone: their tokens find nobody';
};

done_testing;
