# What is over stays over: signed out under a wrong clock, told to a Redis that was not there, loaded into one that came
# back empty, and kept for as long as somebody's clock may need it.
use v5.36;

use Test::More;
use Roster;
use Time::HiRes ();

my $roster = Roster->new(config => {rate_limits => 'no', redis_timeout => '200ms'}, api => {workers => 3});
my $admin = $roster->add_user(role => 'admin', created_at => 1);
my $now = time;

sub knows ($jti) { return $roster->redis('EXISTS', "open-webui:auth:token:$jti:revoked") }
sub notes () { return $roster->sql('SELECT COUNT(*) FROM revocation') }

# ---- Signing out, whatever the clocks say ----

subtest 'sign-out with times that are not ours' => sub {
    my $user = $roster->add_user;
    my $good = sub (%claims) {
        return $roster->token_for($user->{id}, jti => Roster::uuid(), iat => $now - 60, exp => $now + 3600, %claims);
    };
    my $skew = 86400;
    for my $case (
        ['iat 2 s ahead', {iat => $now + 2}, $now + 3600 + $skew],
        ['iat an hour ahead', {iat => $now + 3600, exp => $now + 7200}, $now + 7200 + $skew],
        ['nbf ahead', {nbf => $now + 60}, $now + 3600 + $skew],
        ['expired a moment ago', {exp => $now - 1}, $now + $skew],
        ['expired a day ago', {iat => $now - 90000, exp => $now - 86400}, $now + $skew],
        ['exp as text', {exp => '' . ($now + 3600)}, $now + 3600 + $skew],
        ['no exp', {exp => undef}, undef],
        ['an audience', {aud => 'somebody'}, $now + 3600 + $skew],
        ['iat that is none', {iat => 'x'}, $now + 3600 + $skew],
        ['all is well', {}, $now + 3600 + $skew])
    {
        my ($name, $claims, $until) = @$case;
        for my $method (qw(GET POST)) {
            my $token = $good->(%$claims);
            my $jti = Roster::claims_of($token)->{jti};
            is $roster->ask($method => '/auths/signout', $token)->{body}, '{"status":true}',
                "$name: $method answers true";
            is $roster->sql('SELECT revoked_at IS NOT NULL FROM session WHERE jti = ? AND user_id = ?',
                $jti, $user->{id}),
                1, '... and has revoked it';
            my $ttl = $roster->redis('TTL', "open-webui:auth:token:$jti:revoked");
            defined $until
                ? cmp_ok(abs($now + $ttl - $until), '<', 60, '... for as long as it may live by any clock')
                : is($ttl, -1, '... for ever');
            # The clock is right again: the same jti, with times that are good now.
            is_problem $roster->ask(GET => '/users/user/status', $good->(jti => $jti)), 401, 'INVALID_TOKEN',
                '... and it does not come back';
        }
    }
    for my $case (
        [
            'signed by somebody else',
            $roster->jwt({id => $user->{id}, jti => 'forged', exp => $now + 60}, key => 'x' x 40)
        ],
        ['unsigned', $roster->jwt({id => $user->{id}, jti => 'forged', exp => $now + 60}, alg => 'none')],
        ['HS512', $roster->jwt({id => $user->{id}, jti => 'forged', exp => $now + 60}, alg => 'HS512')],
        ['rubbish', 'rubbish'])
    {
        is $roster->ask(GET => '/auths/signout', $case->[1])->{body}, '{"status":true}', "$case->[0]: true as well";
        is knows('forged'), 0, '... but nothing is revoked';
    }
    is $roster->ask(GET => '/auths/signout', $roster->token_for($user->{id}, jti => ''))->{body}, '{"status":true}',
        'a jti that is empty';
    is knows(''), 0, '... is nobody\'s name';
    my $session = $roster->sign_in($user)->{json}{token};
    $roster->sql('UPDATE session SET expires_at = ? WHERE jti = ?', $now - 60, Roster::claims_of($session)->{jti});
    is $roster->ask(DELETE => "/users/$user->{id}/sessions/" . Roster::claims_of($session)->{jti}, $admin->{token})
        ->{body}, 'true',
        'a session that has expired by our clock is ended by its name';
    is_problem $roster->ask(GET => '/users/user/status', $session), 401, 'INVALID_TOKEN', '... and is over';
};

# ---- A change of role spares nobody ----

subtest 'an administrator who demotes themself' => sub {
    my $self = $roster->add_user(role => 'admin');
    my $body = {(map { ($_ => $self->{$_}) } qw(name email)), profile_image_url => '/user.png'};
    for my $with ({}, {password => 'a password set with it'}) {
        $self = $roster->add_user(role => 'admin');
        my $token = $roster->sign_in($self)->{json}{token};
        my %body = (%$body, email => $self->{email}, %$with);
        is $roster->ask(
            POST => "/users/$self->{id}/update",
            $token, json => {%body, role => 'admin', password => ''}
        )->{status}, 200, 'a change without a change';
        is $roster->ask(GET => '/auths/', $token)->{status}, 200, '... ends nothing';
        is $roster->ask(POST => "/users/$self->{id}/update", $token, json => {%body, role => 'user'})->{json}{role},
            'user',
            'demoted' . (%$with ? ', with another password' : '');
        is_problem $roster->ask(GET => '/auths/', $token), 401, 'INVALID_TOKEN', '... and the session is over';
        is knows(Roster::claims_of($token)->{jti}), 1, '... in Redis too';
    }
};

# ---- Redis was not told ----

# Each leaves Redis as it is, but for what comes meanwhile.
my %outages = (
    'hangs' => [sub { $roster->pause('redis') }, sub { $roster->resume('redis') }],
    'has no memory' => [
        sub { $roster->redis('CONFIG', 'SET', 'maxmemory', 1) },
        sub { $roster->redis('CONFIG', 'SET', 'maxmemory', 0) }
    ],
    'is read-only' =>
        [sub { $roster->redis('REPLICAOF', '127.0.0.1', 1) }, sub { $roster->redis('REPLICAOF', 'NO', 'ONE') }],
    'knows no longer who we are' => [
        sub {
            $roster->redis('CONFIG', 'SET', 'requirepass', 'x');
            $roster->redis('AUTH', 'x');
            $roster->redis('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
        },
        sub { $roster->redis('CONFIG', 'SET', 'requirepass', '') }
    ]);
for my $name (sort keys %outages) {
    subtest "Redis $name" => sub {
        my ($before, $after) = @{$outages{$name}};
        my @people = map { $roster->add_user } 1 .. 9;
        my @tokens = map { $roster->sign_in($_)->{json}{token} } @people;
        $roster->ask(GET => '/auths/', $admin->{token});
        ok wait_until(10, sub { $roster->redis('EXISTS', 'open-webui:roster:loaded') }), 'all is well';
        my $logged = length $roster->log_text;
        $before->();
        # Ends of every kind, over all workers.
        $roster->ask(GET => '/auths/signout', $tokens[$_]) for 0 .. 3;
        $roster->ask(DELETE => "/auths/sessions/" . Roster::claims_of($tokens[4])->{jti}, $tokens[4]);
        $roster->ask(DELETE => "/auths/sessions", $tokens[5]);
        $roster->ask(POST => "/users/$people[6]{id}/disable", $admin->{token});
        $roster->ask(DELETE => "/users/$people[7]{id}", $admin->{token});
        $roster->ask(
            POST => "/users/$people[8]{id}/update",
            $admin->{token},
            json => {(map { ($_ => $people[8]{$_}) } qw(name email)), role => 'pending', profile_image_url => ''});
        is_problem $roster->ask(GET => '/auths/', $tokens[$_]), 401, 'INVALID_TOKEN', "session $_ is over here"
            for 0 .. 8;
        cmp_ok notes(), '>=', 9, 'what could not be told is noted';
        # A worker that has failed lately tries again only after some time.
        ok wait_until(20, sub { $roster->log_text =~ /Redis does not accept revocations now/ }), 'a worker has tried'
            if $name eq 'has no memory';
        $after->();
        # Without another request.
        ok wait_until(15, sub { notes() == 0 }), 'it is told when Redis is well';
        is knows(Roster::claims_of($tokens[$_])->{jti}), 1, "Redis knows of session $_" for 0 .. 8;
        my $log = substr $roster->log_text, $logged;
        cmp_ok scalar(() = $log =~ /Redis is (?:away|back)/g), '<=', 2,
            'one line says that it is away, and one that it is back'
            or diag $log;
        cmp_ok $roster->redis('GET', "open-webui:auth:user:$people[$_]{id}:revoked_at") // 0, '>=', $now,
            "... and that all of person $_ is over"
            for 5 .. 8;
    };
}
is scalar(() = $roster->log_text =~ /Redis does not accept revocations now/g), 1,
    'one line in the log tells of a Redis that is there, and takes nothing';
ok $roster->wait_log(qr/all pending revocations were written to Redis/), '... and when it is over';

subtest 'a worker that dies between the two' => sub {
    $roster->sql('INSERT INTO revocation (user_id, jti, expires_at) VALUES (?, ?, ?)',
        $admin->{id}, 'left-behind', $now + 3600);
    CORE::kill 'KILL', ($roster->workers('api'))[0];
    ok wait_until(15, sub { knows('left-behind') }), 'the one that takes its place tells it';
    $roster->allow_log(qr/killed|died|signal 9/i);
};

# ---- Redis came back empty ----

subtest 'thousands of revocations, and Redis is empty' => sub {
    my $user = $roster->add_user;
    my ($ours, $kept) = ($roster->sign_in($user)->{json}{token}, $roster->sign_in($user)->{json}{token});
    $roster->ask(GET => '/auths/signout', $ours);
    my $foreign = $roster->token_for($user->{id});
    $roster->ask(GET => '/auths/signout', $foreign);
    my $everywhere = $roster->add_user;
    my $bare = $roster->jwt({id => $everywhere->{id}, iat => time, exp => $now + 3600});
    $roster->ask(DELETE => '/auths/sessions', $bare);
    $roster->sql(
        'INSERT INTO session (jti, user_id, expires_at, revoked_at) '
            . 'SELECT CONCAT(?, seq), ?, ?, IF(seq % 3 = 0, NULL, 1) FROM seq_1_to_6000',
        'many-', $user->{id}, $now + 3600);

    my %over =
        ('one of ours' => $ours, 'one of another program' => $foreign, 'one without a jti, by its user' => $bare);
    $roster->redis('FLUSHALL');
    $roster->redis('SET', 'open-webui:roster:loading', 'somebody else', 'EX', 600);    # who never does it
    for my $round (1 .. 3) {
        is_problem $roster->ask(GET => '/auths/', $over{$_}), 401, 'INVALID_TOKEN', "while Redis is empty: $_ is over"
            for sort keys %over;
        is $roster->ask(GET => '/auths/', $kept)->{status}, 200, 'and who is not over is not';
    }
    Time::HiRes::sleep(1.2);
    is $roster->redis('EXISTS', 'open-webui:roster:loaded'), 0, 'who does not hold the lock does not load';
    is knows('many-1'), 0, '... anything';
    $roster->redis('DEL', 'open-webui:roster:loading');
    $roster->ask(GET => '/auths/', $kept);
    ok wait_until(
        20, sub { $roster->ask(GET => '/auths/', $kept); $roster->redis('EXISTS', 'open-webui:roster:loaded') }
        ),
        'one worker loads all of it';
    is $roster->redis('EXISTS', map { "open-webui:auth:token:many-$_:revoked" } grep { $_ % 3 } 1 .. 6000), 4000,
        'every revocation';
    is $roster->redis('EXISTS', map { "open-webui:auth:token:many-$_:revoked" } grep { $_ % 3 == 0 } 1 .. 6000), 0,
        '... and none that is none';
    is knows(Roster::claims_of($_)->{jti}), 1, 'also of those that were ended before' for $ours, $foreign;
    is $roster->redis('GET', "open-webui:auth:user:$everywhere->{id}:revoked_at"),
        $roster->sql('SELECT sessions_ended_at FROM user WHERE id = ?', $everywhere->{id}),
        'and up to when all of a user\'s are over';
    ok wait_until(5, sub { !$roster->redis('EXISTS', 'open-webui:roster:loading') }), 'the lock is given back';
    my @lines = $roster->log_text =~ /Redis came back empty: (\d+) revocations were loaded again/g;
    cmp_ok $lines[-1], '>=', 4002, 'the log tells how many';
    is $roster->ask(GET => '/auths/', $kept)->{status}, 200, 'the others go on';
};

# ---- Forgetting what has expired ----

subtest 'expired sessions are forgotten' => sub {
    my $user = $roster->add_user;
    my $day = 86400;
    $roster->sql(
        'INSERT INTO session (jti, user_id, expires_at, revoked_at) SELECT CONCAT(?, seq), ?, ?, NULL '
            . 'FROM seq_1_to_1200',
        'old-', $user->{id}, $now - 2 * $day);
    $roster->sql('INSERT INTO session (jti, user_id, expires_at, revoked_at) VALUES (?, ?, ?, ?)',
        $_->[0], $user->{id}, @$_[1, 2])
        for ['yesterday', $now - $day / 2, undef], ['ended yesterday', $now - $day / 2, $now - $day],
        ['ended just now', $now - 9 * $day, $now], ['endless', undef, $now - 9 * $day];
    my $reload = sub {
        my @old = $roster->workers;
        $roster->process('roster')->signal('HUP');
        wait_until(
            20,
            sub {
                my %now = map { ($_ => 1) } $roster->workers;
                !grep { $now{$_} } @old;
            });
    };
    $reload->();    # a new worker forgets with its first request
    ok wait_until(
        20,
        sub {
            $roster->ask(GET => '/auths/', $admin->{token});
            !$roster->sql(q{SELECT COUNT(*) FROM session WHERE jti LIKE 'old-%'});
        }
        ),
        'all of them, in small steps';
    is_deeply [map { $_->[0] } $roster->sql('SELECT jti FROM session WHERE user_id = ? ORDER BY jti', $user->{id})],
        ['ended just now', 'ended yesterday', 'endless', 'yesterday'],
        'but not those that somebody\'s clock may still need';
};

# ---- Nothing under /auths is kept ----

subtest 'Cache-Control' => sub {
    my $user = $roster->add_user;
    my $kept = sub ($name, $answer) { is $answer->{headers}{'cache-control'}, 'no-store', "$name, $answer->{status}" };
    $kept->('GET /auths/', $roster->ask(GET => '/auths/', $user->{token}));
    $kept->('HEAD /auths/', $roster->ask(HEAD => '/auths/', $user->{token}));
    $kept->('nobody', $roster->get('/auths/'));
    $kept->('no such path', $roster->get('/auths/nothing'));
    $kept->('no such method', $roster->request(DELETE => '/auths/signin'));
    $kept->('OPTIONS', $roster->request(OPTIONS => '/api/v1/auths/signin'));
    $kept->('a bad body', $roster->request(POST => '/auths/signin', json => {}));
    $kept->('wrong', $roster->sign_in('x@example.org', password => 'wrong password'));
    $kept->('sign-in', $roster->sign_in($user));
    $kept->('sign-out', $roster->request(POST => '/auths/signout'));
    $kept->(
        'too large, by nginx',
        $roster->request(
            POST => '/auths/signin',
            body => 'x' x 5_000_000,
            headers => ['Content-Type' => 'application/json']
        ));
    $kept->('a method that nginx refuses', $roster->request(TRACE => '/auths/'));
    $kept->('a bad request, by nginx', $roster->get('/auths/%00'));
    $kept->(
        'header fields too large, by nginx',
        $roster->request(GET => '/auths/', headers => ['X-Filler' => 'x' x 40000]));
    $roster->stop('roster');
    $kept->('nobody at home, by nginx', $roster->get('/auths/'));
    $kept->('... for passwords', $roster->request(POST => '/auths/signin', json => {}));
    $roster->start('roster');
};

done_testing;
