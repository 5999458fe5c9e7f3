# MariaDB and Redis away, slow, restarted, in conflict: what callers get meanwhile, and that all is well afterwards,
# without a restart of roster.
use v5.36;

use Test::More;
use Roster;
use Time::HiRes ();

my %short = (
    database_read_timeout => '2s',
    database_connect_timeout => '1s',
    redis_timeout => '200ms',
    log_level => 'debug',
    last_active_interval => '1d');
my $roster = Roster->new(config => \%short, api => {workers => 3});
$roster->sql('SET GLOBAL innodb_flush_log_at_trx_commit = 1');    # this test kills the server
my $admin = $roster->add_user(role => 'admin', last_active_at => time);
my $user = $roster->add_user(last_active_at => time);
my @workers = $roster->workers;
my @api = $roster->workers('api');
my $log_start = 0;

# What the log has said since the last call.
sub logged () {
    my $text = substr $roster->log_text, $log_start;
    $log_start = length $roster->log_text;
    return $text;
}
sub count_of ($pattern, $text) { my $count = () = $text =~ /$pattern/g; return $count }

# What $code gives and how long it took.
sub timed ($code) {
    my $start = Time::HiRes::time();
    my $result = $code->();
    return ($result, Time::HiRes::time() - $start);
}

# Every worker of the pool api answers a caller.
sub all_answer ($name) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $ask = sub { $roster->get('/users/user/status', $user) };
    my %answers = map { (in_short($_) => 1) } $roster->on_each_worker('api', $ask);
    is join(', ', sort keys %answers), '200', "$name: all workers answer";
    is $roster->sign_in($user)->{status}, 200, "$name: the other pool does, too";
    return;
}

# Another connection that does something beside roster.
sub beside () { return Roster::Database->connect($roster->socket_path('mariadb')) }

is $roster->get('/users/user/status', $user)->{status}, 200, 'all is well at first';
logged();

# ---- MariaDB ----

my @paths = (
    [GET => '/users/user/status'],
    [GET => '/users/'],
    [GET => "/users/$user->{id}"],
    [GET => '/auths/'],
    [GET => '/groups/'],
    [GET => '/users/permissions'],
    [GET => '/users/all'],
    [GET => '/auths/signout'],
    [GET => "/users/$user->{id}/profile/image"],
    [POST => '/users/user/info/update', {a => 1}],
    [POST => '/users/default/permissions', {}],
    [DELETE => "/users/$user->{id}"],
    [POST => '/auths/add', {}],
    [DELETE => '/auths/sessions']);

subtest 'MariaDB is killed' => sub {
    $roster->kill('mariadb');
    for my $round (1, 2) {
        for my $path (@paths) {
            my ($method, $target, $json) = @$path;
            my ($answer, $seconds) = timed(sub {
                $roster->ask($method => $target, $admin, cookie => $admin->{token}, $json ? (json => $json) : ());
            });
            is_unavailable $answer, "$method $target";
            is_deeply $answer->{set_cookie}, [], "$method $target: nobody is signed out";
            cmp_ok $seconds, '<', 1, "$method $target: at once";
        }
    }
    is_unavailable $roster->sign_in($user), 'sign-in';
    is_unavailable $roster->request(
        POST => '/auths/signup',
        json => {name => 'x', email => 'x@example.org', password => 'a password of some length'}
        ),
        'sign-up';
    is_problem $roster->get('/users/'), 401, 'NOT_AUTHENTICATED', 'somebody unknown is told so all the same';
    is_problem $roster->request(GET => '/users/', token => 'rubbish'), 401, 'UNAUTHORIZED', 'so is a bad token';
    is_problem $roster->get('/nothing'), 404, 'PATH_NOT_FOUND', 'and an unknown path';
    is $roster->get('/ping')->{status}, 200, '/ping answers';
    is $roster->get('/ready')->{status}, 503, '/ready does not';
    my $text = logged();
    is count_of(qr/MariaDB is away/, $text), 1, 'one line in the log for all of this' or diag $text;
    $roster->start('mariadb');
    ok wait_until(5, sub { $roster->get('/users/user/status', $user)->{status} == 200 }),
        'it is used again when it is back';
    Time::HiRes::sleep(1.1);    # a worker does not try for a second after it has failed
    all_answer('back');
    $text = logged();
    is count_of(qr/MariaDB is back/, $text), 1, 'one line says so' or diag $text;
};

subtest 'MariaDB is restarted' => sub {
    # Held back meanwhile, since they do not only work when they are asked.
    $roster->without_workers(sub { $roster->restart('mariadb') });
    all_answer('restarted');
    $roster->without_workers(sub { $roster->restart('mariadb') });
    is $roster->post('/users/user/info/update', $user, {restarted => 1})->{json}{restarted}, 1,
        'a write is the first that comes';
    my $text = logged();
    is count_of(qr/\[(?:error|warning)\]/, $text), 0, 'nobody notices' or diag $text;
};

subtest 'connections are killed' => sub {
    all_answer('before');
    cmp_ok $roster->kill_connections(), '>=', 4, 'each worker has one';
    all_answer('killed');
    $roster->kill_connections();
    is $roster->post('/users/user/info/update', $user, {killed => 1})->{json}{killed}, 1,
        'a write is the first that comes';

    # In the middle of a statement, which waits for a lock.
    my $beside = beside();
    $beside->run('START TRANSACTION');
    $beside->run('SELECT id FROM user WHERE id = ? FOR UPDATE', $user->{id});
    my $result = in_background(sub { in_short($roster->post('/users/user/info/update', $user, {inside => 1})) });
    ok $roster->wait_statement('UPDATE user SET .*info = '), 'a statement waits for a lock';
    $roster->kill_connections();
    $beside->run('ROLLBACK');
    is $result->(), '200', 'its connection is killed: it is done again';
    is $roster->get('/users/user/status', $user)->{json}{info}{inside}, 1, 'and has happened';
    unlike logged(), qr/\[error\]/, 'no error';

    $beside->run('START TRANSACTION');
    $beside->run('SELECT id FROM user WHERE id = ? FOR UPDATE', $user->{id});
    $result = in_background(sub {
        my $answer = $roster->post('/users/user/info/update', $user, {queried => 1});
        in_short($answer) . ($answer->{headers}{'retry-after'} // '');
    });
    $roster->wait_statement('UPDATE user SET .*info = ');
    $roster->kill_connections('QUERY');
    is $result->(), '503 UNAVAILABLE1', 'a statement is killed: 503';
    $beside->run('ROLLBACK');
    $beside->disconnect;
    is $roster->get('/users/user/status', $user)->{json}{info}{queried}, undef, 'and has not happened';
    all_answer('afterwards');
    logged();
};

subtest 'MariaDB hangs' => sub {
    $roster->disconnect;
    $roster->pause('mariadb');
    Time::HiRes::sleep(0.1);    # it takes effect thread by thread
    my @results = map {
        in_background(sub {
            my ($answer, $seconds) = timed(sub { $roster->get('/users/user/status', $user) });
            in_short($answer) . ($seconds < 8 ? '' : "after $seconds s");
        })
    } 1 .. 6;
    push @results, in_background(sub {
        my ($answer, $seconds) = timed(sub { $roster->sign_in($user) });
        in_short($answer) . ($seconds < 8 ? '' : "after $seconds s");
    });
    is $_->(), '503 UNAVAILABLE', 'a request gets 503 in time' for @results;
    is_problem $roster->get('/users/'), 401, 'NOT_AUTHENTICATED', 'who needs no row is answered';
    $roster->resume('mariadb');
    ok wait_until(5, sub { $roster->get('/users/user/status', $user)->{status} == 200 }),
        'it is used again when it goes on';
    Time::HiRes::sleep(1.1);
    all_answer('going on');
    cmp_ok count_of(qr/MariaDB is away/, logged()), '<=', 1, 'at most one line says that it is away';
};

subtest 'deadlocks' => sub {
    my $other = $roster->add_user(email => 'before@example.org');
    $roster->sql('CREATE TABLE weight (id INT PRIMARY KEY)');
    for my $round (1 .. 3) {
        # roster changes the row of `user`, then that of `auth`; the other one goes the other way round, and weighs
        # more, so that roster is the one to give way.
        my $beside = beside();
        $beside->run('START TRANSACTION');
        $beside->run('INSERT INTO weight SELECT seq FROM seq_1_to_500');
        $beside->run('SELECT id FROM auth WHERE id = ? FOR UPDATE', $other->{id});
        my $result = in_background(sub {
            in_short($roster->post(
                "/users/$other->{id}/update",
                $admin,
                {
                    role => 'user',
                    name => "Round $round",
                    email => "after$round\@example.org",
                    profile_image_url => '/user.png'
                }));
        });
        ok $roster->wait_statement('^UPDATE auth'), 'roster waits for the other one';
        my $locked = eval { $beside->run('SELECT id FROM user WHERE id = ? FOR UPDATE', $other->{id}); 1 };
        ok $locked, 'which goes on: roster gave way' or diag $@;
        $beside->run('ROLLBACK');
        $beside->disconnect;
        is $result->(), '200', 'and was done again';
        is_deeply [
            $roster->sql(
                'SELECT u.name, u.email, a.email FROM user u JOIN auth a USING (id) WHERE id = ?',
                $other->{id})
            ],
            [["Round $round", "after$round\@example.org", "after$round\@example.org"]], 'once, whole';
    }
    my $text = logged();
    like $text, qr/\[debug\].*\berror 1213\b/, 'the deadlocks were real';
    unlike $text, qr/\[(?:error|warning)\]/, 'and no more than a debug line';
};

subtest 'lock waits' => sub {
    my $beside = beside();
    $beside->run('START TRANSACTION');
    $beside->run('SELECT id FROM user WHERE id = ? FOR UPDATE', $user->{id});
    my $result = in_background(sub { in_short($roster->post('/users/user/info/update', $user, {short => 1})) });
    Time::HiRes::sleep(0.5);
    $beside->run('ROLLBACK');
    is $result->(), '200', 'a lock that goes in time is waited for';
    $beside->run('START TRANSACTION');
    $beside->run('SELECT id FROM user WHERE id = ? FOR UPDATE', $user->{id});
    my ($answer, $seconds) = timed(sub { $roster->post('/users/user/info/update', $user, {long => 1}) });
    is_unavailable $answer, 'a lock that stays';
    cmp_ok $seconds, '<', 1.9 * $Roster::Process::patience, 'after a second, and not tried again';
    is_unavailable $roster->post('/users/user/status/update', $user, {status_message => 'long'}),
        'outside a transaction as well';
    is $roster->get('/users/user/status', $user)->{status}, 200, 'who only reads is not held up';
    $beside->run('ROLLBACK');
    $beside->disconnect;
    is_deeply [
        @{$roster->get('/users/user/status', $user)->{json}}{qw(status_message)},
        $roster->get('/users/user/status', $user)->{json}{info}{long}
        ],
        [undef, undef],
        'nothing of it has happened';
    is $roster->post('/users/user/info/update', $user, {long => 2})->{json}{long}, 2, 'and it works again';
    my $text = logged();
    is count_of(qr/\[error\].*gave up waiting for a lock \(error 1205\): .*INNODB_TRX; statement: /, $text), 2,
        'the log says why, once for each'
        or diag $text;

    # What may as well not happen waits for nothing, and says nothing: the time of last use, after the answer.
    $roster->sql('UPDATE user SET last_active_at = 0 WHERE id = ?', $user->{id});
    $beside = beside();
    $beside->run('START TRANSACTION');
    $beside->run('SELECT id FROM user WHERE id = ? FOR UPDATE', $user->{id});
    my (undef, $time) = timed(sub {
        my ($pid) = @api;
        $roster->on_worker(
            'api', $pid,
            sub {
                is $roster->get('/users/user/status', $user)->{status}, 200, 'a request of somebody whose row is locked'
                    for 1 .. 5;
            });
    });
    cmp_ok $time, '<', 1.5 * $Roster::Process::patience, 'holds no worker';
    is $roster->sql('SELECT last_active_at FROM user WHERE id = ?', $user->{id}), 0, 'it was not noted';
    $beside->run('ROLLBACK');
    $beside->disconnect;
    $roster->get('/users/user/status', $user);
    ok wait_until(5, sub { $roster->sql('SELECT last_active_at FROM user WHERE id = ?', $user->{id}) > 0 }),
        'and the next time it is';
    unlike logged(), qr/\[(?:error|warning)\]/, 'nobody is told';

    # Whoever changes a table, or makes a backup, holds another kind of lock.
    $beside = beside();
    $beside->run('FLUSH TABLES WITH READ LOCK');
    ($answer, $seconds) = timed(sub { $roster->post('/users/user/info/update', $user, {flushed => 1}) });
    is_unavailable $answer, 'a write during FLUSH TABLES WITH READ LOCK';
    cmp_ok $seconds, '<', 1.9 * $Roster::Process::patience, 'after a second';
    is $roster->get('/users/user/status', $user)->{status}, 200, 'reading goes on';
    $beside->run('UNLOCK TABLES');
    $beside->disconnect;
    is $roster->post('/users/user/info/update', $user, {flushed => 2})->{json}{flushed}, 2, 'and writing afterwards';
    logged();
};

subtest 'statements that MariaDB refuses' => sub {
    my $secret = $roster->secret('a-very-private-text-' . 'x' x 50);
    $roster->sql('ALTER TABLE user MODIFY status_message VARCHAR(20) NULL');
    is_problem $roster->post('/users/user/status/update', $user, {status_message => $secret}),
        500, 'INTERNAL_ERROR', 'a column that is too short';
    $roster->sql(q{ALTER TABLE user ADD CONSTRAINT no_such_name CHECK (name <> 'a-very-private-name')});
    is_problem $roster->post('/auths/update/profile', $user,
        {name => $roster->secret('a-very-private-name'), profile_image_url => '/user.png'}),
        500,
        'INTERNAL_ERROR', 'a constraint of somebody else';
    $roster->sql(q{CREATE TRIGGER refuse BEFORE UPDATE ON user FOR EACH ROW SIGNAL SQLSTATE '45000' }
            . q{SET MESSAGE_TEXT = 'Incorrect value: ''a-very-private-zone'' for column'});
    $roster->secret('a-very-private-zone');
    is_problem $roster->post('/auths/update/timezone', $user, {timezone => 'Europe/Vienna'}),
        500, 'INTERNAL_ERROR', 'a trigger that speaks of values';
    $roster->sql('DROP TRIGGER refuse');
    $roster->sql('ALTER TABLE user DROP CONSTRAINT no_such_name');
    $roster->sql('ALTER TABLE user MODIFY status_message TEXT CHARACTER SET utf8mb4 COLLATE '
            . 'utf8mb4_uca1400_nopad_ai_ci NULL DEFAULT NULL');
    $roster->sql('RENAME TABLE session TO gone');
    is_problem $roster->sign_in($user), 500, 'INTERNAL_ERROR', 'a table is missing';
    $roster->sql('RENAME TABLE gone TO session');
    all_answer('repaired');
    my $text = logged();
    like $text, qr/\[error\].*\b$_\b/, "the log has error $_" for 1406, 4025, 1644, 1146;
    unlike $text, qr/private/, 'and none of the values';
};

# ---- Redis, not required ----

subtest 'Redis is killed' => sub {
    my $session = $roster->sign_in($user)->{json};
    my $ended = $roster->sign_in($user)->{json};
    is $roster->get('/auths/signout', $ended)->{status}, 200, 'a session is ended';
    logged();
    $roster->kill('redis');
    all_answer('away');
    my (undef, $seconds) = timed(sub { $roster->get('/users/user/status', $user) for 1 .. 40 });
    cmp_ok $seconds, '<', 4, 'forty requests are no slower';
    is_problem $roster->get('/users/user/status', $ended), 401, 'INVALID_TOKEN',
        'a session that was ended before stays ended';
    is $roster->get('/auths/signout', $session)->{status}, 200, 'another one is ended now';
    for my $pid (@api) {
        is_problem $roster->on_worker('api', $pid, sub { $roster->get('/users/user/status', $session) }),
            401, 'INVALID_TOKEN', 'and is over for each worker';
    }
    is_problem $roster->get('/users/user/status', $roster->token_for($user->{id}, exp => time - 5)),
        401, 'UNAUTHORIZED', 'expiry counts';
    is_problem $roster->get('/users/user/status', $roster->token_for('nobody')), 401,
        'INVALID_TOKEN', 'and so does the row';
    Time::HiRes::sleep(1.1);
    all_answer('still away');    # each worker has tried again
    my $text = logged();
    is count_of(qr/Redis is away/, $text), 1, 'one line a minute says so, whatever the number of workers' or diag $text;
    like $text, qr/\[error\].*Redis is away: .*tokens are checked by signature, expiry and MariaDB only/,
        'and what it means';
    is count_of(qr/\[(?:error|warning)\].*Redis/, $text), 1, 'nothing else does';

    $roster->start('redis');
    my $jti = Roster::uuid();
    my $token = $roster->token_for($user->{id}, jti => $jti);
    $roster->redis('SET', "open-webui:auth:token:$jti:revoked", 1);
    ok wait_until(5, sub { $roster->get('/users/user/status', $token)->{status} == 401 }),
        'it is used again when it is back';
    Time::HiRes::sleep(1.1);
    all_answer('back');
    is count_of(qr/Redis is back/, logged()), 1, 'one line says so';
};

subtest 'Redis is restarted' => sub {
    logged();
    # Held back meanwhile, since a worker with nothing to do may look whether Redis takes what was noted.
    $roster->without_workers(sub { $roster->restart('redis') });
    all_answer('restarted');
    my $text = logged();
    is count_of(qr/Redis(?! came back empty)/, $text), 0, 'nobody notices' or diag $text;
    # While a worker loads what it has forgotten: some commands are on their way each time.
    $roster->sql(
        'INSERT INTO session (jti, user_id, expires_at, revoked_at) '
            . q{SELECT CONCAT('load-', seq), ?, ?, 1 FROM seq_1_to_20000},
        $user->{id},
        time + 3600);
    $roster->redis('FLUSHALL');
    for (1 .. 50) {
        $roster->get('/users/user/status', $user);
        $roster->redis('CLIENT', 'KILL', 'TYPE', 'normal');
    }
    $roster->disconnect;
    all_answer('connections are killed');
    $roster->sql(q{DELETE FROM session WHERE jti LIKE 'load-%'});
    $text = logged();
    is count_of(qr/Redis(?! came back empty)/, $text), 0, 'nobody notices either' or diag $text;
};

subtest 'Redis hangs' => sub {
    $roster->pause('redis');
    Time::HiRes::sleep(0.1);
    for my $pid (@api) {
        my ($answer, $seconds) = timed(sub {
            $roster->on_worker('api', $pid, sub { $roster->get('/users/user/status', $user) });
        });
        is $answer->{status}, 200, 'a request is answered';
        cmp_ok $seconds, '<', 2, 'after redis_timeout at most';
        ($answer, $seconds) = timed(sub {
            $roster->on_worker('api', $pid, sub { $roster->get('/users/user/status', $user) for 1 .. 10 });
        });
        cmp_ok $seconds, '<', 1, 'the next ones do not wait';
    }
    $roster->resume('redis');
    Time::HiRes::sleep(1.1);
    my $jti = Roster::uuid();
    my $token = $roster->token_for($user->{id}, jti => $jti);
    $roster->redis('SET', "open-webui:auth:token:$jti:revoked", 1);
    for my $pid (@api) {
        is_problem $roster->on_worker('api', $pid, sub { $roster->get('/users/user/status', $token) }), 401,
            'INVALID_TOKEN',
            'it is used again when it goes on';
        is $roster->on_worker('api', $pid, sub { $roster->get('/users/user/status', $user) })->{status}, 200,
            '... and late answers are not taken for those of others';
    }
    is count_of(qr/Redis is away/, logged()), 1, 'one line said so';
};

subtest 'Redis answers with errors' => sub {
    my $key = "open-webui:auth:user:$user->{id}:revoked_at";
    $roster->redis('LPUSH', $key, 'x');
    all_answer('a key of another type');
    $roster->redis('DEL', $key);
    $roster->redis('CONFIG', 'SET', 'maxmemory', 1);
    all_answer('it is full');
    $roster->redis('CONFIG', 'SET', 'maxmemory', 0);
    my $text = logged();
    cmp_ok count_of(qr/\[(?:error|warning)\].*Redis/, $text), '<=', 2, 'a line for each at most' or diag $text;
};

# ---- Both ----

subtest 'roster starts while MariaDB and Redis are away' => sub {
    $roster->stop('roster', 'mariadb', 'redis');
    logged();
    $roster->start('roster');
    is_unavailable $roster->get('/users/user/status', $user), 'a request';
    my $text = logged();
    is count_of(qr/MariaDB is away/, $text), 1, 'one line says that MariaDB is away' or diag $text;
    is count_of(qr/Redis is away/, $text), 1, 'one line says that Redis is';
    $roster->start('mariadb');
    ok wait_until(5, sub { $roster->get('/users/user/status', $user)->{status} == 200 }), 'with MariaDB it answers';
    $roster->start('redis');
    Time::HiRes::sleep(1.1);
    @api = $roster->workers('api');
    all_answer('with both');
};
isnt "@workers", join(' ', $roster->workers), 'those are other workers';
$roster->finish;

# ---- Redis, required ----

my $strict = Roster->new(config => {%short, redis_required => 'yes'});
{
    $roster = $strict;
    $user = $roster->add_user;
    $log_start = 0;
    my @before = $roster->workers;
    is $roster->get('/users/user/status', $user)->{status}, 200, 'redis_required: all is well';
    my $session = $roster->sign_in($user)->{json};
    logged();
    $roster->kill('redis');
    for my $round (1 .. 3) {
        my ($answer, $seconds) = timed(sub { $roster->get('/users/user/status', $user, cookie => $user->{token}) });
        is_unavailable $answer, 'a token while Redis is away';
        is_deeply $answer->{set_cookie}, [], 'nobody is signed out';
        cmp_ok $seconds, '<', 1, 'at once';
    }
    is_unavailable $roster->request(GET => '/auths/', cookie => $session->{token}), 'a cookie';
    is_problem $roster->get('/users/'), 401, 'NOT_AUTHENTICATED', 'no token';
    is_problem $roster->request(GET => '/users/', token => 'rubbish'), 401, 'UNAUTHORIZED', 'a bad token';
    is $roster->sign_in($user)->{status}, 200, 'signing in needs no token';
    is $roster->get('/auths/signout', $session)->{status}, 200, 'nor does signing out';
    my $text = logged();
    is count_of(qr/Redis is away/, $text), 1, 'one line says so' or diag $text;
    like $text, qr/Redis is away: .*requests with a token are refused/, 'and what it means';
    $roster->start('redis');
    ok wait_until(5, sub { $roster->get('/users/user/status', $user)->{status} == 200 }), 'it is back';
    Time::HiRes::sleep(1.1);
    is_problem $roster->get('/users/user/status', $session), 401, 'INVALID_TOKEN',
        'the session that was ended meanwhile is over';
    $roster->pause('redis');
    Time::HiRes::sleep(0.1);
    my ($answer, $seconds) = timed(sub { $roster->get('/users/user/status', $user) });
    is_unavailable $answer, 'a token while Redis hangs';
    cmp_ok $seconds, '<', 2, 'after redis_timeout';
    $roster->resume('redis');
    ok wait_until(5, sub { $roster->get('/users/user/status', $user)->{status} == 200 }), 'it goes on';
    Time::HiRes::sleep(1.1);
    $roster->redis('FLUSHALL');
    is $roster->get('/users/user/status', $user)->{status}, 200, 'flushed is not away';
    is_problem $roster->get('/users/user/status', $session), 401, 'INVALID_TOKEN', 'and brings no session back';
    is_deeply [$roster->workers], \@before, 'the workers are the same';
}

done_testing;
