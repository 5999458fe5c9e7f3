# What /status, the metrics and `rosterctl status` say of the identity table, and when it is not used: others that may
# write to the same database are found, and told of.
use v5.36;

use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use Test::More;
use Time::HiRes ();

use Roster;

my $port = Roster::free_port();
my $roster = Roster->new(
    config => {identity_cache => '1h', last_active_interval => '1h'},
    api => {workers => 2},
    mariadb => ['--skip-networking=0', '--bind-address=127.0.0.1', "--port=$port"]);
my $admin = $roster->add_user(role => 'admin', last_active_at => time);

sub table () { return $roster->status->{identity_table} }

sub state_is ($state, $what) {
    return ok wait_until(20, sub { table()->{state} eq $state }), $what;
}
sub rosterctl () { my (undef, $text) = $roster->rosterctl('status'); return $text }

sub metrics () {
    my $text = $roster->get('/status?format=prometheus')->{body};
    return {$text =~ /^roster_identity_table_(\w+) (\S+)$/mg};
}

subtest 'the figures' => sub {
    state_is('used', 'it is used');
    $roster->get("/users/$admin->{id}", $admin) for 1 .. 5;
    my $before = table();
    cmp_ok $before->{entries}, '>=', 2, 'a session and a person';
    cmp_ok $before->{bytes}, '>', 200, 'take some bytes';
    cmp_ok $before->{size}, '>', 14 << 20, 'of those of identity_cache_size';
    cmp_ok $before->{size}, '<', 16 << 20, 'less what else it needs';
    is $before->{$_}, 0, "$_: 0" for qw(writing orphans);
    $roster->get("/users/$admin->{id}", $admin) for 1 .. 5;
    my $after = table();
    is $after->{hits} - $before->{hits}, 10, 'five requests are ten questions';
    is $after->{misses}, $before->{misses}, 'all answered';
    my $metrics = metrics();
    is $metrics->{up}, 1, 'Prometheus is told so';
    is $metrics->{hits_total}, $after->{hits}, 'and of hits';
    is $metrics->{size_bytes}, $after->{size}, 'and of its size';
    like rosterctl(), qr/^Identity table: [\d.]+% of \d+ questions answered, \d+ entries, 0\.0 of 1[45]\.\d MiB$/m,
        'rosterctl status';
    like $roster->get('/status')->{body}, qr/^identity_table: used\n  hits: \d+\n  misses: \d+\n  entries: \d+\n/m,
        'the text';
    $roster->restart('roster');
    is table()->{hits}, 0, 'counted from the start of the service';
};

subtest 'a dead writer' => sub {
    my $lock = Roster::Database->connect($roster->socket_path('mariadb'));
    $lock->run('START TRANSACTION');
    $lock->run('SELECT id FROM roster.user WHERE id = ? FOR UPDATE', $admin->{id});
    my $writer = in_background(sub {
        eval { $roster->post('/auths/update/timezone', $admin, {timezone => 'Asia/Tokyo'})->{status} } // 0;
    });
    ok $roster->wait_statement('^UPDATE user SET .*timezone'), 'a write waits';
    is table()->{writing}, 1, 'and is counted';
    kill 'STOP', $roster->watcher;
    kill 'KILL', $roster->workers('api');
    $writer->();
    ok wait_until(10, sub { my $table = table(); $table->{orphans} == 1 && $table->{writing} == 0 }),
        'whoever wrote is gone';
    $lock->disconnect;
    kill 'CONT', $roster->watcher;
    ok wait_until(20, sub { table()->{orphans} == 0 }), 'it is let go when the server has given the connection up';
};

subtest 'not used' => sub {
    kill 'STOP', $roster->watcher;
    state_is('unwatched', 'without the watcher');
    like rosterctl(), qr/^Identity table: not used, since the watcher does not answer/m, 'as rosterctl says';
    is metrics()->{up}, 0, 'and Prometheus';
    kill 'CONT', $roster->watcher;
    state_is('used', 'with it it is');
    $roster->stop('redis');
    state_is('no-redis', 'without Redis');
    $roster->start('redis');
    state_is('used', 'with it it is');
    $roster->reconfigure(redis_socket => '');
    state_is('used', 'where no Redis is configured, too');
    $roster->set_directives(redis_socket => $roster->socket_path('redis'), identity_cache => 0);
    $roster->reload;
    state_is('off', 'off');
    like rosterctl(), qr/^Identity table: not used, since identity_cache is 0$/m, 'as rosterctl says';
    ok wait_until(10, sub { !$roster->watcher }), 'then there is no watcher';
    $roster->set_directives(identity_cache => '1h');
    $roster->reload;
    state_is('used', 'on again');
};

subtest 'a reload' => sub {
    my $ask = sub { $roster->get("/users/$admin->{id}", $admin) for 1 .. 6; return table() };
    my $pid = $roster->watcher;
    my $before = $ask->();
    $roster->reconfigure(rate_limit_list => 1000);
    is $roster->watcher, $pid, 'the watcher goes on where nothing changed that it needs';
    my $after = $ask->();
    is $after->{misses}, $before->{misses}, 'and new workers have what was kept';
    is $after->{hits} - $before->{hits}, 12, 'and use it';
    my $log = "$roster->{directory}/log/roster-error.log";
    rename $log, "$log.1";
    $roster->process('roster')->signal('USR1');
    ok wait_until(
        10,
        sub {
            grep { (readlink($_) // '') eq $log } glob "/proc/$pid/fd/*";
        }
        ),
        'it opens the log anew';
    my $level = sub ($level) {
        $roster->reconfigure(log_level => $level);
        ok wait_until(10, sub { my $now = $roster->watcher; $now && $now != $pid }), "log_level = $level: another one";
        state_is('used', 'which is alive');
        $pid = $roster->watcher;
    };
    $level->('info');
    $level->('notice');
};

# A socket whose connections come to MariaDB from another address than ours.
sub relay ($from, $address) {
    my $listener = IO::Socket::UNIX->new(Local => $from, Listen => 5) // die "$from: $!\n";
    my $pid = fork // die "fork: $!\n";
    return $pid if $pid;
    my %other;
    my $select = IO::Select->new($listener);
    while (my @ready = $select->can_read) {
        for my $socket (@ready) {
            if ($socket == $listener) {
                my $near = $listener->accept;
                my $far = IO::Socket::INET->new(LocalAddr => $address, PeerAddr => '127.0.0.1', PeerPort => $port)
                    // die "port $port: $@\n";
                @other{$near, $far} = ($far, $near);
                $select->add($near, $far);
            }
            elsif (sysread $socket, my $bytes, 65536) { syswrite $other{$socket}, $bytes }
            else {
                $select->remove($socket, $other{$socket});
                close $_ for $other{$socket}, $socket;
            }
        }
    }
}

# The hosts of the clients with the service's account.
sub clients () {
    return $roster->sql(q{SELECT host FROM information_schema.processlist WHERE user = 'roster' AND db = 'roster'});
}

# Whoever has this service's account, and a connection.
sub connect_from ($address) {
    my $socket = "$roster->{directory}/from-$address.sock";
    my $pid = relay($socket, $address);
    pipe my $input, state $end_of_input or die "pipe: $!\n";    # a client that reads its end would leave
    my $client = fork // die "fork: $!\n";
    if (!$client) {
        local $ENV{MYSQL_PWD} = $roster->{database_password};
        open STDIN, '<&', $input;
        open STDOUT, '>', '/dev/null';
        open STDERR, '>', "$roster->{directory}/log/neighbour.log";
        exec Roster::Database::find_program('mariadb', 'mysql'), '--no-defaults', "--socket=$socket", '--user=roster',
            '--database=roster';
    }
    ok wait_until(
        10,
        sub {
            grep { $_->[0] =~ /^\Q$address\E:/ } clients();
        }
        ),
        "a client from $address";
    return ($pid, $client);
}

sub end_all (@pids) {
    kill 'KILL', @pids;
    waitpid $_, 0 for @pids;
    return;
}

sub check () { my (undef, $text) = $roster->run_program('roster', '-c', $roster->config_file, '-t'); return $text }

subtest 'another host writes' => sub {
    $roster->sql(q{CREATE USER roster@'127.0.0.%' IDENTIFIED BY ?}, $roster->{database_password});
    $roster->sql(q{GRANT SELECT, INSERT, UPDATE, DELETE ON roster.* TO roster@'127.0.0.%'});
    $roster->reconfigure(database_host => "127.0.0.1:$port");
    my @client = connect_from('127.0.0.1');
    unlike check(), qr/identity_cache/, 'one on this host is nothing to tell of';
    state_is('used', 'the table is used');
    end_all(@client);
    @client = connect_from('127.0.0.2');
    state_is('shared-database', 'one on another host is found');
    like rosterctl(), qr/^Identity table: not used, since others may write to the same database/m, 'rosterctl says so';
    like $roster->log_text, qr/\[warning\].*identity_cache is not used: the host 127\.0\.0\.2 may write to/,
        'and the log';
    like check(), qr/warning: identity_cache has no effect, since the host 127\.0\.0\.2 may write .* set it to 0/,
        'roster -t warns of it';
    $roster->get("/users/$admin->{id}", $admin);
    Time::HiRes::sleep(1.1);
    $roster->sql('UPDATE user SET name = ? WHERE id = ?', 'Another', $admin->{id});
    is $roster->get("/users/$admin->{id}", $admin)->{json}{name}, 'Another', 'what it changes is seen at once';
    end_all(@client);
    state_is('used', 'when it is gone, the table is used again');
    like $roster->log_text, qr/identity_cache is used again/, 'as the log says';
    $roster->reconfigure(database_host => undef);
};

subtest 'another service' => sub {
    my $other = Roster->new(
        without => [qw(mariadb redis nginx)],
        config => {
            identity_cache => '1h',
            secret_key_file => "$roster->{directory}/secret.key",
            database_password_file => "$roster->{directory}/database.password",
            database_socket => $roster->socket_path('mariadb'),
            redis_socket => $roster->socket_path('redis')
        });
    my $state_of_other = sub {
        return $other->fastcgi('status', {REQUEST_URI => '/status?format=json'})->{json}{identity_table}{state};
    };
    ok wait_until(20, sub { $state_of_other->() eq 'shared-database' }), 'it finds this one';
    state_is('shared-database', 'and this one finds it');
    like $roster->log_text, qr/identity_cache is not used: another Roster service may write to/, 'as the log says';
    $roster->stop('roster');
    ok wait_until(20, sub { $state_of_other->() eq 'used' }), 'the one that is left uses the table';
    $roster->start('roster');
    state_is('shared-database', 'the one that comes does not');
    $other->stop('roster');
    state_is('used', 'before it is alone');
};

done_testing;
