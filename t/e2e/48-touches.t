# When users, sessions and API keys were used last: workers note it, one process writes it once a second, and nothing is
# lost of it, whoever dies, and whatever is locked or away.
use v5.36;

use Test::More;
use Time::HiRes ();

use Roster;

my $roster = Roster->new(config => {rate_limits => 'no', restart_limit => 0}, api => {workers => 2});
my $now = time;
my $admin = $roster->add_user(role => 'admin', last_active_at => $now + 86_400);
$roster->ctl('settings', 'set', 'ENABLE_API_KEYS=yes');
$roster->ctl('permissions', 'default', 'features.api_keys=yes');

sub touches () { return $roster->status->{touches} }
sub last_active ($user) { return $roster->sql('SELECT last_active_at FROM user WHERE id = ?', $user->{id}) }

sub shown ($user) {
    return $roster->call(user_get => 200, in => {user_id => $user->{id}}, token => $admin->{token})->{json};
}

# Somebody who was here a day ago, with a row of the session.
sub add_user_with_session () {
    my $user = $roster->add_user;
    $roster->sql('INSERT INTO session (jti, user_id, created_at, last_seen_at) VALUES (?, ?, 1, 1)',
        $user->{jti}, $user->{id});
    return $user;
}

sub be_here ($user) { return $roster->get('/users/user/status', $user)->{status} }

# Locks rows of users, until the connection that it gives says ROLLBACK.
sub lock_rows (@users) {
    my $lock = Roster::Database->connect($roster->socket_path('mariadb'));
    $lock->run('START TRANSACTION');
    $lock->run('SELECT id FROM user WHERE id = ? FOR UPDATE', $_->{id}) for @users;
    return $lock;
}

sub unlock ($lock) {
    $lock->run('ROLLBACK');
    return $lock->disconnect;
}

# Waits until so many times are noted, and not written.
sub waiting_is ($count, $what) {
    return ok wait_until(10, sub { touches()->{waiting} == $count }), $what
        || diag explain touches();
}

sub is_written ($user, $what) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return ok wait_until(10, sub { last_active($user) >= $now }), $what;
}

subtest 'gathered' => sub {
    ok wait_until(10, sub { touches()->{state} eq 'gathered' }), 'there is a housekeeper';
    my @users = map { add_user_with_session() } 1 .. 120;
    my $before = touches();
    at_once(
        map {
            my $part = $_;
            sub { be_here($users[$_ * 4 + $part]) for 0 .. 29 }
        } 0 .. 3);
    ok wait_until(10, sub { touches()->{noted} - $before->{noted} == 240 }), 'each user and each session is noted';
    ok $roster->settle, 'and written';
    my $after = touches();
    is $after->{written} - $before->{written}, 240, 'all of them';
    is $after->{direct}, $before->{direct}, 'none by a worker';
    cmp_ok $after->{written_statements} - $before->{written_statements}, '<=', 120, 'in much fewer statements';
    is $roster->sql('SELECT COUNT(*) FROM user WHERE last_active_at BETWEEN ? AND ?', $now, time), 120, 'the users';
    is $roster->sql('SELECT COUNT(*) FROM session WHERE last_seen_at BETWEEN ? AND ?', $now, time), 120,
        'and the sessions';
    be_here($_) for @users[0 .. 9];
    is touches()->{noted}, $after->{noted}, 'nothing more within last_active_interval';
};

# What is shown while a row is locked, and so not written yet, is what it says when it is.
sub is_shown_before_it_is_written () {
    my ($user, $other) = map { add_user_with_session() } 1, 2;
    my $key = $roster->ctl_json('key', 'add', $user->{email}, '--name', 'one');
    $roster->secret($key->{api_key});
    my $old = last_active($user);
    is shown($user)->{last_active_at}, $old, 'a day ago';
    my $lock = Roster::Database->connect($roster->socket_path('mariadb'));
    $lock->run('START TRANSACTION');
    $lock->run("SELECT 1 FROM $_->[0] WHERE $_->[1] = ? FOR UPDATE", $_->[2])
        for ['user', 'id', $user->{id}], ['session', 'jti', $user->{jti}], ['api_key', 'user_id', $user->{id}];
    is be_here($_), 200, 'a request' for $user, $other;
    is $roster->request(GET => '/auths/', headers => ['x-api-key', $key->{api_key}])->{status}, 200, 'one with a key';
    is_written($other, 'whoever is not locked is written');
    waiting_is(3, 'a user, a session and a key wait');
    is last_active($user), $old, 'the row is not written';
    my $person = shown($user);
    cmp_ok $person->{last_active_at}, '>=', $now, 'but the time is shown';
    ok $person->{is_active}, 'and that the user is active';
    ok $roster->call(user_active => 200, in => {user_id => $user->{id}}, token => $admin->{token})->{json}{active},
        'in short, too';
    my ($listed) =
        grep { $_->{id} eq $user->{id} } @{$roster->get("/users/?query=$user->{email}", $admin)->{json}{users}};
    is $listed->{last_active_at}, $person->{last_active_at}, 'and in lists';
    my ($session) =
        @{$roster->call(user_sessions_list => 200, in => {user_id => $user->{id}}, token => $admin->{token})->{json}};
    cmp_ok $session->{last_seen_at}, '>=', $now, 'the session';
    my ($named) = @{$roster->call(api_keys_list => 200, token => $user->{token})->{json}};
    cmp_ok $named->{last_used_at}, '>=', $now, 'the key';
    for my $case (['sessions', 'last_seen_at', $session], ['api_keys', 'last_used_at', $named]) {
        my ($what, $time, $shown) = @$case;
        my ($found) = @{$roster->get("/auths/admin/$what?user_id=$user->{id}", $admin)->{json}{$what}};
        is $found->{$time}, $shown->{$time}, "among the $what of all";
    }
    unlock($lock);
    ok $roster->settle, 'then all is written';
    is last_active($user), $person->{last_active_at}, 'as it was shown';
    is shown($user)->{last_active_at}, $person->{last_active_at}, 'and is shown as before';
    is $roster->sql('SELECT last_seen_at FROM session WHERE jti = ?', $user->{jti}), $session->{last_seen_at},
        'the session, too';
    is $roster->sql('SELECT last_used_at FROM api_key WHERE id = ?', $named->{id}), $named->{last_used_at},
        'and the key';
    return;
}
subtest 'shown before it is written' => \&is_shown_before_it_is_written;

subtest 'the housekeeper dies' => sub {
    my $user = $roster->add_user;
    my $lock = lock_rows($user);
    be_here($user);
    waiting_is(1, 'a time waits');
    my $pid = $roster->housekeeper;
    kill 'KILL', $pid;
    ok wait_until(10, sub { my $next = $roster->housekeeper; $next && $next != $pid }), 'another one is started';
    unlock($lock);
    is_written($user, 'and writes what there was');
    ok $roster->wait_log(qr/\[error\].*the housekeeper \(process $pid\) ended; another one is started/),
        'the log says so';
};

subtest 'workers die' => sub {
    my $user = $roster->add_user;
    my $lock = lock_rows($user);
    be_here($user);
    waiting_is(1, 'a time waits');
    kill 'KILL', $roster->workers('api');
    unlock($lock);
    is_written($user, 'what they noted is written');
};

subtest 'the housekeeper hangs' => sub {
    my $user = $roster->add_user;
    my $pid = $roster->housekeeper;
    kill 'STOP', $pid;
    ok wait_until(20, sub { touches()->{state} eq 'unattended' }), 'without its sign of life';
    my $before = touches()->{direct};
    be_here($user);
    is_written($user, 'workers write themselves');
    is touches()->{direct}, $before + 1, 'and count it';
    like + ($roster->rosterctl('status'))[1],
        qr/^Times of last use: \d+ written in \d+ statements, 0 waiting, \d+ by workers themselves; the housekeeper does not answer/m,
        'rosterctl status';
    kill 'CONT', $pid;
    ok wait_until(10, sub { touches()->{state} eq 'gathered' }), 'then it goes on';
};

subtest 'deleted meanwhile' => sub {
    my $user = $roster->add_user;
    kill 'STOP', my $pid = $roster->housekeeper;
    be_here($user);
    $roster->call(user_delete => 200, in => {user_id => $user->{id}}, token => $admin->{token});
    kill 'CONT', $pid;
    ok $roster->settle, 'there is nothing to write';
    is $roster->sql('SELECT COUNT(*) FROM user WHERE id = ?', $user->{id}), 0, 'whoever was deleted stays so';
};

# How many of these users are written as having been here now.
sub count_written (@users) {
    return $roster->sql(
        'SELECT COUNT(*) FROM user WHERE last_active_at BETWEEN ? AND ? AND id IN (' . join(', ', ('?') x @users) . ')',
        $now, time, map { $_->{id} } @users);
}

subtest 'the end of the service' => sub {
    for my $signal ('QUIT', 'TERM') {
        my @users = map { $roster->add_user } 1 .. 20;
        be_here($_) for @users;
        is $roster->process('roster')->stop($signal, 40), 0, "SIG$signal: it ends";
        is count_written(@users), 20, 'all is written';
        $roster->start('roster');
    }
    ok wait_until(10, sub { touches()->{state} eq 'gathered' }), 'there is a housekeeper';
    my @users = map { $roster->add_user } 1 .. 20;
    be_here($_) for @users;
    kill 'KILL', $roster->housekeeper;
    is $roster->stop('roster'), 0, 'it ends just after the housekeeper has died';
    is count_written(@users), 20, 'all is written';
    $roster->start('roster');
};

subtest 'a reload' => sub {
    my $user = $roster->add_user;
    ok wait_until(10, sub { touches()->{state} eq 'gathered' }), 'there is a housekeeper';
    my $pid = $roster->housekeeper;
    my $lock = lock_rows($user);
    be_here($user);
    waiting_is(1, 'a time waits');
    $roster->set_directives(identity_cache => '1h', last_active_interval => '61s');
    is $roster->reload, '', 'a reload';
    ok wait_until(10, sub { my $next = $roster->housekeeper; $next && $next != $pid }), 'there is another housekeeper';
    unlock($lock);
    is_written($user, 'which writes what was noted before');
};

subtest 'with the identity table' => sub {
    ok wait_until(20, sub { $roster->status->{identity_table}{state} eq 'used' }), 'it is used';
    is_shown_before_it_is_written();
    my $user = add_user_with_session();
    be_here($user) for 1 .. 3;
    ok $roster->settle, 'all is written';
    my $written = last_active($user);
    is shown($user)->{last_active_at}, $written, 'what it has kept is what is written';
};

subtest 'MariaDB is away' => sub {
    my $user = $roster->add_user;
    $roster->reconfigure(last_active_interval => '1s');
    ok wait_until(
        20,
        sub {
            be_here($user);
            my $hits = $roster->status->{identity_table}{hits};
            be_here($user);
            $roster->status->{identity_table}{hits} > $hits;
        }
        ),
        'the table answers';
    $roster->stop('mariadb');
    my ($noted, $at) = (touches()->{noted});
    ok wait_until(10, sub { $at = time; be_here($user) == 200 && touches()->{noted} > $noted }),
        'a time is noted while it is away';
    cmp_ok touches()->{waiting}, '>=', 1, 'and waits';
    $roster->start('mariadb');
    ok wait_until(20, sub { (last_active($user) // 0) >= $at }), 'it is written when it is back';
};

done_testing;
