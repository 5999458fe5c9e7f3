# Roster::Faults::Rows: what may happen to a stack under load: the rows for Roster::Faults.
#
#   name      as the table has it
#   group     the file of t/faults that shows it: processes, mariadb, redis, machine, clients
#   quick     1: make check shows it, too
#   needs     what the stack must have: relay, clock, disk mariadb, disk log, prlimit
#   seconds   how long it lasts (1)
#   may       what clients may get besides their usual answers: statuses, or the words of Roster::Faults::Client
#   allow     lines of logs that are alerts, and belong to it
#   prepare   before it counts
#   begin, end   the cause's; without `end' it is over at once. They may keep something in $faults->{state}
#   after     when it has been counted
package Roster::Faults::Rows;
use v5.36;

use IO::Socket::UNIX;
use Socket ();
use Time::HiRes ();

use Roster::Database;
use Roster::Faults::Replica;
use Roster::Http;
use Roster::Process;

# Those of a group. ROSTER_FAULTS_ONLY is a pattern for names.
sub of ($group) {
    my $only = $ENV{ROSTER_FAULTS_ONLY} // '';
    return grep { $_->{group} eq $group && $_->{name} =~ /$only/ && ($Roster::Faults::is_whole || $_->{quick}) } rows();
}

sub one_of (@list) { return $list[rand @list] }

# Stops processes, and lets them go on.
sub halt ($faults, @pids) {
    $faults->{state}{halted} = \@pids;
    return kill 'STOP', @pids;
}
sub go_on ($faults) { return kill 'CONT', @{$faults->{state}{halted}} }

# Each of these processes, once in a while, until the fault ends.
sub kill_workers ($faults, $pool, $count) {
    my @pids = $faults->roster->workers($pool);
    @pids = one_of(@pids) if $count == 1;
    return kill 'KILL', @pids;
}

sub rows () {
    state @rows = (processes(), databases(), redis(), machine(), clients());
    return @rows;
}

# ---- Processes of ours ----

sub processes () {
    my $gone = ['503'];
    # A process that is stopped inside a transaction keeps its locks: who waits for one gets 503 after a second.
    my $halts = sub ($name, $find, %more) {
        return {
            group => 'processes',
            name => "$name is stopped",
            seconds => 3,
            begin => sub ($faults) { halt($faults, $find->($faults->roster) // ()) },
            end => \&go_on,
            %more
        };
    };
    my $kills = sub ($name, $find, %more) {
        return {
            group => 'processes',
            name => "$name is killed",
            begin => sub ($faults) { kill 'KILL', $find->($faults->roster) // () },
            %more
        };
    };
    my $worker = sub ($pool) {
        return sub ($roster) { one_of($roster->workers($pool)) }
    };
    my $workers = sub ($roster) { $roster->workers('api') };
    my $watcher = sub ($roster) { $roster->watcher };
    my $housekeeper = sub ($roster) { $roster->housekeeper };
    my $master = sub ($roster) { $roster->process('roster')->pid };
    return (
        $kills->('a worker of [api]', $worker->('api'), quick => 1, may => $gone),
        {
            group => 'processes',
            name => 'all workers of [api] are killed',
            quick => 1,
            may => $gone,
            begin => sub ($faults) { kill_workers($faults, 'api', 0) }
        },
        $kills->('a worker of [password]', $worker->('password'), may => $gone),
        $kills->('a worker of [directory]', $worker->('directory'), may => $gone),
        $halts->('a worker of [api]', $worker->('api'), quick => 1, may => $gone),
        $halts->('a worker of [api], for longer than request_timeout,', $worker->('api'), seconds => 12, may => $gone),
        $halts->('a worker of [password]', $worker->('password'), may => $gone),
        $halts->('a worker of [directory]', $worker->('directory'), may => $gone),
        $kills->('the watcher', $watcher, quick => 1),
        $halts->('the watcher', $watcher),
        $kills->('the housekeeper', $housekeeper),
        $halts->('the housekeeper', $housekeeper, may => $gone),
        $halts->('the master', $master, quick => 1),
        $kills->(
            'the master', $master,
            quick => 1,
            may => $gone,
            end => sub ($faults) { $faults->roster->process('roster')->kill_all; $faults->roster->start('roster') }
        ),
        {
            group => 'processes',
            name => 'the service is reloaded',
            begin => sub ($faults) { $faults->roster->reload }
        },
        {
            group => 'processes',
            name => 'nginx is killed',
            quick => 1,
            may => [qw(refused closed cut)],
            begin => sub ($faults) { $faults->roster->kill('nginx') },
            end => sub ($faults) { $faults->roster->start('nginx') }
        },
        {
            group => 'processes',
            name => 'workers of nginx are killed',
            may => [qw(refused closed cut)],
            allow => qr/worker process \d+ exited on signal 9/,
            begin => sub ($faults) { kill 'KILL', $faults->roster->process('nginx')->children }
        },
        {
            group => 'processes',
            name => 'nginx is stopped',
            seconds => 3,
            begin => sub ($faults) {
                my $process = $faults->roster->process('nginx');
                halt($faults, $process->pid, $process->children);
            },
            end => \&go_on
        });
}

# ---- MariaDB ----

# Locks rows that clients change, until a worker waits for one of them inside a transaction.
sub lock_people ($faults) {
    my $roster = $faults->roster;
    my $lock = Roster::Database->connect($roster->socket_path('mariadb'));
    $lock->run('START TRANSACTION');
    $lock->run(sprintf 'SELECT id FROM auth WHERE id IN (%s) FOR UPDATE',
        join ', ', map { "'$_->{id}'" } @{$faults->{people}{person}});
    $roster->wait_statement('UPDATE');
    return $lock;
}

# Transactions that lock in the other order than the service: the row of auth, then that of user.
sub provoke_deadlocks ($faults) {
    my $connection = Roster::Database->connect($faults->roster->socket_path('mariadb'));
    my $end = Time::HiRes::time() + 600;
    while (Time::HiRes::time() < $end) {
        my $id = one_of(@{$faults->{people}{person}})->{id};
        eval {
            $connection->run('START TRANSACTION');
            $connection->run('SELECT id FROM auth WHERE id = ? FOR UPDATE', $id);
            Time::HiRes::sleep(rand 0.02);
            $connection->run('SELECT id FROM user WHERE id = ? FOR UPDATE', $id);
        };
        $connection->run('ROLLBACK');
        Time::HiRes::sleep(rand 0.05);
    }
    return;
}

# In a process of its own until the end of the fault.
sub in_the_meantime ($faults, $code) {
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
        eval { $code->() };
        print STDERR $@ if $@;
        POSIX::_exit(0);
    }
    push @{$faults->{state}{meantime}}, $pid;
    return;
}

sub end_meantime ($faults) {
    for my $pid (@{$faults->{state}{meantime}}) { kill 'KILL', $pid; waitpid $pid, 0 }
    return;
}

sub databases () {
    my $away = ['503'];
    my $relays = sub ($name, @how) {
        return (
            group => 'mariadb',
            name => $name,
            needs => ['relay'],
            seconds => 3,
            begin => sub ($faults) { $faults->relay->be(@how) },
            end => sub ($faults) { $faults->relay->be('well') });
    };
    my $sql = sub ($faults, @statement) { return $faults->roster->sql(@statement) };
    return (
        {
            group => 'mariadb',
            name => 'MariaDB is killed',
            quick => 1,
            may => $away,
            begin => sub ($faults) { $faults->roster->kill('mariadb') },
            end => sub ($faults) { $faults->roster->start('mariadb') }
        },
        {
            group => 'mariadb',
            name => 'MariaDB is restarted',
            may => $away,
            seconds => 0,
            begin => sub ($faults) { $faults->roster->stop('mariadb') },
            end => sub ($faults) { $faults->roster->start('mariadb') }
        },
        {
            group => 'mariadb',
            name => 'MariaDB is restarted inside transactions',
            quick => 1,
            may => $away,
            seconds => 0,
            begin => sub ($faults) {
                my $lock = lock_people($faults);
                $faults->roster->kill('mariadb');
                eval { $lock->disconnect };
            },
            end => sub ($faults) { $faults->roster->start('mariadb') }
        },
        {
            group => 'mariadb',
            name => 'MariaDB is stopped',
            quick => 1,
            may => $away,
            seconds => 5,
            begin => sub ($faults) { $faults->roster->disconnect; $faults->roster->pause('mariadb') },
            end => sub ($faults) { $faults->roster->resume('mariadb') }
        },
        {
            group => 'mariadb',
            name => 'MariaDB is read-only',
            quick => 1,
            may => $away,
            seconds => 3,
            begin => sub ($faults) { $sql->($faults, 'SET GLOBAL read_only = 1') },
            end => sub ($faults) { $sql->($faults, 'SET GLOBAL read_only = 0') }
        },
        {
            group => 'mariadb',
            name => 'connections to MariaDB are closed',
            may => $away,
            begin => sub ($faults) { $faults->roster->kill_connections }
        },
        {
            group => 'mariadb',
            name => 'MariaDB is out of connections',
            quick => 1,
            may => $away,
            seconds => 3,
            begin => sub ($faults) {
                my $roster = $faults->roster;
                $faults->{state}{held} = [map { Roster::Database->connect($roster->socket_path('mariadb')) } 1 .. 11];
                $_->run('SELECT 1') for @{$faults->{state}{held}};
                $sql->($faults, 'SET GLOBAL max_connections = 10');
                $roster->kill_connections;
            },
            end => sub ($faults) {
                $sql->($faults, 'SET GLOBAL max_connections = 200');
                $_->disconnect for @{$faults->{state}{held}};
            }
        },
        {
            group => 'mariadb',
            name => 'the disk of MariaDB is full',
            needs => ['disk mariadb'],
            may => $away,
            seconds => 5,
            begin => sub ($faults) { $faults->fill('mariadb') },
           # A server that has ended itself is started again, as systemd does. One that waits for room to go on with its
           # binary log looks once a minute.
            end => sub ($faults) {
                $faults->unfill('mariadb');
                $faults->roster->disconnect;
                my $writes = sub {
                    $faults->roster->start('mariadb');
                    $sql->($faults, 'CREATE DATABASE IF NOT EXISTS room');
                    return $sql->($faults, 'DROP DATABASE room') // 1;
                };
                Roster::Process::wait_until(
                    60,
                    sub {
                        eval { $writes->() }
                    }
                ) or die "MariaDB does not go on\n";
            }
        },
        {
            group => 'mariadb',
            name => 'deadlocks',
            quick => 1,
            seconds => 5,
            begin => sub ($faults) {
                in_the_meantime($faults, sub { provoke_deadlocks($faults) }) for 1, 2;
            },
            end => \&end_meantime
        },
        {$relays->('MariaDB is slow, and answers out of order', 'slow', 0.1), quick => 1},
        {$relays->('connections to MariaDB are cut', 'cut', 0.05), quick => 1, may => $away},
        {$relays->('MariaDB is silent', 'silent'), may => $away, seconds => 5},
        {$relays->('the network to MariaDB is gone', 'away'), may => $away},
        {
            group => 'mariadb',
            name => 'a second MariaDB takes over',
            needs => ['relay'],
            quick => 1,
            may => $away,
            prepare => \&Roster::Faults::Replica::follow,
            begin => sub ($faults) { $faults->roster->kill('mariadb') },
            end => \&Roster::Faults::Replica::promote,
            after => \&Roster::Faults::Replica::move_back
        });
}

# ---- Redis ----

sub redis () {
    my $row = sub ($name, $begin, $end, %more) {
        return {
            group => 'redis',
            name => $name,
            begin => sub ($faults) { $begin->($faults->roster) },
            $end ? (end => sub ($faults) { $end->($faults->roster) }) : (),
            %more
        };
    };
    my $start = sub ($roster) { $roster->start('redis') };
    return (
        $row->('Redis is killed', sub ($roster) { $roster->kill('redis') }, $start, seconds => 3, quick => 1),
        $row->('Redis is restarted', sub ($roster) { $roster->stop('redis') }, $start, seconds => 0),
        $row->('FLUSHALL', sub ($roster) { $roster->redis('FLUSHALL') }, undef, quick => 1),
        $row->(
            'Redis is stopped',
            sub ($roster) { $roster->pause('redis') },
            sub ($roster) { $roster->resume('redis') },
            seconds => 3,
            quick => 1
        ),
        $row->(
            'Redis takes nothing more',
            sub ($roster) { $roster->redis('CONFIG', 'SET', 'maxmemory', 1) },
            sub ($roster) { $roster->redis('CONFIG', 'SET', 'maxmemory', 0) },
            seconds => 3
        ));
}

# ---- The machine ----

sub limit ($faults, $what, $value_of) {
    for my $pid ($faults->roster->workers('api')) {
        my $value = $value_of->($pid) // next;
        system Roster::Faults::prlimit(), '--pid', $pid, "--$what=$value:";
    }
    return;
}

sub unlimit ($faults, $what, $value) {
    system Roster::Faults::prlimit(), '--pid', $_, "--$what=$value:" for $faults->roster->workers('api');
    return;
}

sub first_free_file ($pid) {
    my %open = map { m{/(\d+)$} ? ($1 => 1) : () } glob "/proc/$pid/fd/*";
    return (grep { !$open{$_} } 0 .. 1000)[0];
}

sub memory_of ($pid) {
    my $text = eval { Roster::Database::slurp("/proc/$pid/status") } // return undef;
    return $text =~ /^VmSize:\s+(\d+) kB/m ? $1 * 1024 : undef;
}

# None of the jumps is quick: now and then a MariaDB whose clock is changed underneath it keeps a lock for ever, which is no
# fault of the service, and make check has to pass.
sub machine () {
    my $jump = sub ($name, $seconds, %more) {
        return {
            group => 'machine',
            name => "the clock jumps $name, and back again",
            needs => ['clock'],
            seconds => 5,
            # MariaDB's waits for locks go by the time of day: one that is on its way ends with a jump ahead.
            may => ['503'],
            begin => sub ($faults) { $faults->set_clock($seconds) },
            end => sub ($faults) { $faults->set_clock(0) },
            %more
        };
    };
    return (
        $jump->('ten minutes ahead', 600),
        # A token whose time has not come yet is refused, and holds again afterwards (roster-api(7), JSON Web Tokens).
        $jump->('ten minutes back', -600, may => [qw(401 503)]),
        $jump->('two seconds ahead', 2, may => [qw(401 503)]),
        $jump->('three days back', -3 * 86400, may => [qw(401 503)]),
        {
            group => 'machine',
            name => 'workers of [api] may open no more files',
            needs => ['prlimit'],
            quick => 1,
            seconds => 3,
            begin => sub ($faults) { limit($faults, 'nofile', \&first_free_file) },
            end => sub ($faults) { unlimit($faults, 'nofile', 1024) }
        },
        {
            group => 'machine',
            name => 'workers of [api] get no more memory',
            needs => ['prlimit'],
            quick => 1,
            seconds => 3,
            may => ['503'],
            allow => qr/out of memory: .* this process exits/,
            begin => sub ($faults) { limit($faults, 'as', \&memory_of) },
            end => sub ($faults) { unlimit($faults, 'as', 'unlimited') }
        },
        {
            group => 'machine',
            name => 'the disk of the logs is full',
            needs => ['disk log'],
            quick => 1,
            seconds => 3,
            allow => qr/\[alert\].* write\(\) to .* was incomplete/,
            begin => sub ($faults) { $faults->fill('log') },
            end => sub ($faults) { $faults->unfill('log') }
        });
}

# ---- Clients ----

# A request to write a status that is read by nobody else.
sub bytes_of_write ($faults, $text) {
    return Roster::Http::compose(
        POST => '/users/user/status/update',
        token => $faults->{people}{login}[0]{token},
        json => {status_message => $text});
}

# Sends the body of each request byte by byte: a byte a second.
sub drip ($faults) {
    my @sockets = map {
        my ($head, $body) = split /(?<=\r\n\r\n)/, bytes_of_write($faults, 'slow' x 100), 2;
        my $socket = $faults->roster->open_connection;
        syswrite $socket, $head;
        [$socket, $body];
    } 1 .. 40;
    while (1) {
        for my $one (@sockets) { syswrite $one->[0], substr $one->[1], 0, 1, '' }
        Time::HiRes::sleep(1);
    }
    return;
}

# Goes away with a part of the request sent, or of the answer read, by an orderly end or by a reset.
sub leave ($faults) {
    local $SIG{PIPE} = 'IGNORE';
    my $bytes = bytes_of_write($faults, 'left');
    my $list = Roster::Http::compose(GET => '/users/all', token => $faults->{admin}{token});
    while (1) {
        my $request = rand() < 0.7 ? $bytes : $list;
        my $socket = eval { $faults->roster->open_connection } or next;
        my $part =
            one_of(0, int rand length $request, index($request, "\r\n\r\n") + 4, length $request, length $request);
        syswrite $socket, substr $request, 0, $part;
        Time::HiRes::sleep(rand 0.01) if rand() < 0.7;
        if ($part == length $request && rand() < 0.3) { sysread $socket, my ($some), 20 }
        setsockopt $socket, Socket::SOL_SOCKET(), Socket::SO_LINGER(), pack 'ii', 1, 0 if rand() < 0.5;
        close $socket;
        Time::HiRes::sleep(rand 0.01);
    }
    return;
}

sub clients () {
    my $row = sub ($name, $code, %more) {
        return {
            group => 'clients',
            name => $name,
            quick => 1,
            seconds => 5,
            begin => sub ($faults) {
                in_the_meantime($faults, sub { $code->($faults) });
            },
            end => \&end_meantime,
            %more
        };
    };
    return ($row->('forty bodies come a byte a second', \&drip), $row->('clients go away in each stage', \&leave),);
}

1;
