# The master: starting, watching, reloading and stopping workers. Nothing here needs MariaDB, Redis or nginx: workers
# are asked directly.
use v5.36;

use Fcntl ();
use IO::Socket::UNIX;
use POSIX ();
use Socket ();
use Test::More;
use Time::HiRes ();

use Roster;

my @DAEMON = (without => [qw(mariadb redis nginx)]);

# Reads a small file; undef where it is not there.
sub content ($path) {
    open my $in, '<', $path or return undef;
    local $/ = undef;
    return scalar <$in>;
}

sub ping ($roster, $pool = 'api') {
    return eval { $roster->fastcgi($pool, {REQUEST_URI => '/ping'}, '', timeout => 10)->{status} } // 0;
}

# A connection to a worker that has taken it and now waits for a body that does not come.
sub hold ($roster, $pool = 'password') {
    my $socket = IO::Socket::UNIX->new(Type => Socket::SOCK_STREAM(), Peer => $roster->socket_path($pool))
        // die "connect: $!\n";
    my $whole = Roster::Fastcgi::compose(
        [
            REQUEST_METHOD => 'POST',
            REQUEST_URI => '/auths/signin',
            CONTENT_TYPE => 'application/json',
            CONTENT_LENGTH => 30,
            REMOTE_ADDR => '127.0.0.1'
        ],
        '');
    syswrite $socket, substr $whole, 0, length($whole) - 8;    # the last record ends the body
    Time::HiRes::sleep(0.1);
    return $socket;
}

# Ends the body, and gives what comes back.
sub release ($socket) {
    syswrite $socket, Roster::Fastcgi::record(5, '{"email":"a@b.example","pass":') . Roster::Fastcgi::record(5, '');
    local $/ = undef;
    return scalar(<$socket>) // '';
}

# Asks in four processes until told to stop; then the numbers of answers and failures.
sub load_start ($path) {
    my @readers;
    pipe my $stop_out, my $stop_in or die "pipe: $!\n";
    for (1 .. 4) {
        pipe my $reader, my $writer or die "pipe: $!\n";
        my $pid = fork // die "fork: $!\n";
        if (!$pid) {
            close $stop_in;
            my ($good, $bad, $text) = (0, 0, '');
            until (IO::Select->new($stop_out)->can_read(0)) {
                my $answer = eval { Roster::Fastcgi::request($path, {REQUEST_URI => '/ping'}, '', timeout => 20) };
                if ($answer && $answer->{status} == 200) { $good++ }
                else { $bad++; $text ||= $@ || 'closed without an answer' }
            }
            syswrite $writer, "$good $bad $text";
            POSIX::_exit(0);
        }
        push @readers, [$pid, $reader];
    }
    return [$stop_in, @readers];
}

sub load_stop ($load) {
    my ($stop, @readers) = @$load;
    close $stop;
    my ($good, $bad, $text) = (0, 0, '');
    for my $entry (@readers) {
        my ($pid, $reader) = @$entry;
        waitpid $pid, 0;
        my ($more_good, $more_bad, $why) = split / /, readline($reader) // '0 1 nothing', 3;
        $good += $more_good;
        $bad += $more_bad;
        $text ||= $why;
    }
    return ($good, $bad, $text // '');
}

subtest 'start and stop' => sub {
    my $roster = Roster->new(@DAEMON, api => {listen_mode => '0640'});
    my $pid = $roster->process('roster')->pid;
    is content("$roster->{directory}/roster.pid"), "$pid\n", 'the pid file';
    is scalar($roster->workers('api')), 2, 'the workers of api';
    is scalar($roster->workers($_)), 1, "the worker of $_" for qw(password directory status);
    like content("/proc/$pid/cmdline"), qr/^roster: master \(/, 'the title of the master'
        unless $ENV{ROSTER_TEST_VALGRIND};
    is + (stat $roster->socket_path('api'))[2] & 07777, 0640, 'the mode of a socket';
    is + (stat $roster->socket_path('password'))[2] & 07777, 0660, 'and by default';

    my ($status, $text) = $roster->run_program('roster', '-c', $roster->config_file);
    is $status >> 8, 1, 'a second master is refused';
    like $text, qr/another master, process $pid, holds /, 'and says why';
    $roster->{options}{config} = {pid_file => "$roster->{directory}/other.pid"};
    $roster->write_configuration;
    ($status, $text) = $roster->run_program('roster', '-c', $roster->config_file);
    is $status >> 8, 1, 'also with another pid file';
    like $text, qr/another process listens on \Q@{[$roster->socket_path('api')]}\E/, 'as the socket is in use';
    is ping($roster), 200, 'which does not disturb the first';
    $roster->allow_log(qr/another process listens/);

    is $roster->stop('roster'), 0, 'QUIT ends it with status 0';
    ok !-e "$roster->{directory}/roster.pid", 'the pid file is gone';
    ok !-e $roster->socket_path($_), "$_.sock is gone" for @Roster::SOCKETS;
    $roster->finish;
};

subtest 'a socket that can not be as roster.conf wants it' => sub {
    for my $case (
        [{listen_owner => 'no-such-user'}, qr/listen_owner: there is no user 'no-such-user'/],
        [{listen_group => 'no-such-group'}, qr/listen_group: there is no group 'no-such-group'/],
        [{listen_mode => '0888'}, qr/listen_mode.*0888/],
        [{listen => '/' . 'x' x 100 . '/' . 'y' x 10 . '.sock'}, qr/listen/])
    {
        my ($directives, $pattern) = @$case;
        my $roster = Roster->new(@DAEMON, start => 0, password => $directives);
        $roster->allow_log($pattern);
        $roster->write_configuration;
        my ($status, $text) = $roster->run_program('roster', '-c', $roster->config_file);
        is $status >> 8, 1, 'it does not start: ' . join ' ', %$directives;
        like $text, $pattern, 'and says why';
        is_deeply [glob "$roster->{directory}/*.sock"], [], 'what was made before goes again';
        $roster->finish;
    }
};

subtest 'command line' => sub {
    my $roster = Roster->new(@DAEMON, start => 0);
    $roster->write_configuration;
    my $file = $roster->config_file;
    my ($status, $text) = $roster->run_program('roster', '-v');
    is $status, 0, '-v';
    like $text, qr/^roster \S+$/, 'prints the version';
    ($status, $text) = $roster->run_program('roster', '-h');
    is $status, 0, '-h';
    like $text, qr/^Usage: roster /, 'prints the options';
    ($status, $text) = $roster->run_program('roster', '-x');
    is $status >> 8, 1, 'an unknown option';
    ($status, $text) = $roster->run_program('roster', 'start');
    is $status >> 8, 1, 'an argument';

    ($status, $text) = $roster->run_program('roster', '-c', $file, '-T');
    is $status, 0, '-T';
    like $text, qr/^error_log = /m, 'prints the configuration';
    Roster::Database::write_file("$file.dump", $text);
    is + ($roster->run_program('roster', '-c', "$file.dump", '-T'))[1], $text, 'which parses back to itself';

    ($status, $text) = $roster->run_program('roster', '-c', $file, '-t');
    is $status >> 8, 1, '-t without MariaDB';
    like $text, qr/error: MariaDB can't be reached: /, 'says so';
    Roster::Database::write_file($file, content($file) . "workerz = 2\n");
    my $lines = () = content($file) =~ /\n/g;
    for my $option ('-t', '-T', '-d', ()) {
        ($status, $text) = $roster->run_program('roster', '-c', $file, $option);
        is $status >> 8, 1, "a bad file: $option";
        like $text, qr/^roster: \Q$file\E:$lines: .*workerz.*workers/, 'its line, and what was meant';
    }
    ($status, $text) = $roster->run_program('roster', '-c', '/proc/none/roster.conf');
    is $status >> 8, 1, 'no file';
    like $text, qr{/proc/none/roster\.conf}, 'is named';
    $roster->finish;
};

# A name without a number is that of a file for compiling, which a machine that only runs programs does not have.
subtest 'libraries' => sub {
    for my $program (qw(roster rosterctl)) {
        my @needed = `readelf -d $Roster::build/$program` =~ /\(NEEDED\).*\[(.*)\]/g;
        ok scalar(grep { /^libscrypt/ } @needed), "$program needs libscrypt, among others" or diag "@needed";
        is_deeply [grep { !/\.so\.\d/ } @needed], [], 'each by the name that it has at run time';
    }
};

subtest 'detaching' => sub {
    my $roster = Roster->new(@DAEMON, start => 0);
    $roster->write_configuration;
    my ($status, $text) = $roster->run_program('roster', '-c', $roster->config_file, '-d');
    is $status, 0, 'returns 0' or diag $text;
    is $text, '', 'and says nothing';
    my $pid = 0 + (content("$roster->{directory}/roster.pid") // 0);
    ok $pid && kill(0, $pid), 'the master runs';
    is ping($roster, $_), 200, "$_.sock is ready" for @Roster::SOCKETS;
    ($status, $text) = $roster->run_program('roster', '-c', $roster->config_file, '-d');
    is $status >> 8, 1, 'a second one returns 1';
    like $text, qr/^roster: .*another master, process $pid, /, 'and why';
    kill 'QUIT', $pid;
    ok wait_until(10, sub { !-e "$roster->{directory}/roster.pid" }), 'it stops' or kill 'KILL', $pid;
    $roster->finish;
};

subtest 'reload' => sub {
    my $roster = Roster->new(@DAEMON);
    my @before = $roster->workers;
    $roster->configure(api => {workers => 4});
    is $roster->reload, '', 'a reload';
    ok wait_until(10, sub { $roster->workers == 7 }), 'brings the new number of workers';
    my %old = map { ($_ => 1) } @before;
    is scalar(grep { $old{$_} } $roster->workers), 0, 'all of them new';

    my @now = $roster->workers;
    my $file = $roster->config_file;
    Roster::Database::write_file($file, content($file) . "workerz = 2\n");
    my $lines = () = content($file) =~ /\n/g;
    like $roster->reload, qr/\Q$file\E:$lines: .*the old configuration stays/, 'a bad file is refused, with its line';
    is_deeply [$roster->workers], \@now, 'and changes nothing';
    is ping($roster), 200, 'workers answer';
    $roster->configure(config => {password_pattern => '('});
    like $roster->reload,
        qr/^\S+\.conf: password_pattern is not a valid PCRE2 pattern: .*; the old configuration stays/,
        'so is a bad pattern';
    $roster->configure(config => {error_log => '/proc/none/error.log'});
    like $roster->reload, qr{/proc/none/error\.log.*the old configuration stays}, 'and a log that can not be opened';
    $roster->configure(config => {secret_key_file => '/proc/none/key'});
    like $roster->reload, qr{/proc/none/key.*the old configuration stays}, 'and a key that is not there';
    is_deeply [$roster->workers], \@now, 'nothing has changed';

    $roster->configure(config => {}, api => {workers => 2, listen => "$roster->{directory}/elsewhere.sock"});
    is $roster->reload, '', 'a good file again';
    ok $roster->wait_log(qr/listen.* needs a restart/), 'what needs a restart is named';
    $roster->{options}{api} = {};
    is ping($roster), 200, 'the old socket answers';
    $roster->write_configuration;

    my $held = hold($roster);
    my ($worker) = $roster->workers('password');
    is $roster->reload, '', 'a reload while a request runs';
    is ping($roster, 'password'), 200, 'a new worker answers';
    ok kill(0, $worker), 'the old one finishes its request';
    like release($held), qr/Status: \d\d\d/, 'and answers it';
    ok wait_until(
        10,
        sub {
            !grep { $_ == $worker } $roster->workers;
        }
        ),
        'then it leaves';

    $roster->configure(config => {shutdown_timeout => '1s'});
    $held = hold($roster);
    ($worker) = $roster->workers('password');
    is $roster->reload, '', 'with a request that does not end';
    ok $roster->wait_log(qr/worker $worker of pool password was killed: it was told to exit/),
        'the worker is killed after shutdown_timeout';
    $roster->finish;
};

# From the debug log: which workers were told to exit, and how many had been started before that for each pool.
subtest 'a reload replaces worker by worker' => sub {
    my $roster =
        Roster->new(@DAEMON, config => {log_level => 'debug'}, api => {workers => 4}, password => {workers => 2});
    my $length = length $roster->log_text;
    is $roster->reload, '', 'a reload';
    my (%started, %told, @early);
    for (split /\n/, substr $roster->log_text, $length) {
        $started{$1}++ if /worker \d+ of pool (\w+) started/;
        next if !/worker \d+ of pool (\w+) is told to exit/;
        push @early, "$1: $told{$1} told, $started{$1} started" if ++$told{$1} > ($started{$1} // 0);
        push @early, "$1 before there was one of $_" for grep { !$started{$_} } @Roster::POOLS;
    }
    my %wanted = (api => 4, password => 2, directory => 1, status => 1);
    is_deeply \%started, \%wanted, 'as many workers are started';
    is_deeply \%told, \%wanted, 'all old ones are told to exit before it is done';
    is "@early", '', 'each only when another one has taken its place';
    $roster->configure(api => {workers => 1});
    is $roster->reload, '', 'fewer workers';
    ok wait_until(10, sub { $roster->workers('api') == 1 }), 'are fewer';
    $roster->finish;
};

subtest 'reloads and deaths under load' => sub {
    my $roster = Roster->new(@DAEMON);
    my $load = load_start($roster->socket_path('api'));
    is $roster->reload, '', "reload $_" for 1 .. 20;
    my ($good, $bad, $why) = load_stop($load);
    note "$good answers";
    ok $good > 20, 'requests were answered';
    is $bad, 0, 'none failed' or diag $why;

    $load = load_start($roster->socket_path('api'));
    for (1 .. 10) {
        my @workers = $roster->workers;
        kill 'KILL', $workers[rand @workers];
        Time::HiRes::sleep(0.1);
    }
    ($good, $bad, $why) = load_stop($load);
    ok $bad <= 10, 'a killed worker costs at most the request that it had' or diag "$bad: $why";
    ok wait_until(10, sub { $roster->workers == 5 }), 'and is replaced';
    ok $roster->wait_log(qr/worker \d+ of pool \w+ died of signal 9 \(Killed\) after \d+ requests/), 'the log says so';
    ok $roster->running('roster'), 'the master goes on';
    $roster->finish;
};

# As nginx on a busy machine.
subtest 'a client that is held up before it sends' => sub {
    my $roster = Roster->new(@DAEMON);
    my $socket = Roster::Http::open_socket(unix => $roster->socket_path('api'));
    Time::HiRes::sleep(1);
    syswrite $socket,
        Roster::Fastcgi::compose([REQUEST_METHOD => 'GET', REQUEST_URI => '/ping', REMOTE_ADDR => '127.0.0.1'], '');
    like do { local $/ = undef; <$socket> }, qr/pong/, 'is answered';
    $roster->finish;
};

subtest 'requests that take too long' => sub {
    my $roster = Roster->new(@DAEMON, password => {request_timeout => '1s'});
    my ($worker) = $roster->workers('password');
    my $started = Time::HiRes::time();
    my $held = hold($roster);
    my $killed = qr/worker $worker of pool password was killed/;
    ok $roster->wait_log(
        qr/$killed: a request took longer than request_timeout \(1 s\) while \w+, route: \S+, request: \S+/),
        'the worker is killed, and the log says where it hung';
    ok Time::HiRes::time() - $started < 2 * $Roster::Process::patience, 'in time';
    is ping($roster, 'password'), 200, 'another takes its place';
    $roster->finish;
};

subtest 'max_requests' => sub {
    my $roster = Roster->new(@DAEMON, password => {max_requests => 3}, config => {log_level => 'debug'});
    my %seen;
    for (1 .. 9) {
        is ping($roster, 'password'), 200, "answer $_";
        $seen{$_} = 1 for $roster->workers('password');
    }
    ok wait_until(10, sub { $seen{$_} = 1 for $roster->workers('password'); keys %seen >= 3 }), 'workers are replaced';
    unlike $roster->log_text, qr/\[error\].* worker/, 'which is no error';
    $roster->finish;
};

subtest 'nice' => sub {
    # Field 19 of proc(5)'s stat; fields are counted behind the name, which may hold anything. Each thread has its own.
    my $niceness = sub ($path) { return ((content("$path/stat") // '') =~ s/^.*\) //sr =~ /(\S+)/g)[16] // -1 };
    my $threads = sub ($pid) {
        return join ' ', sort { $a <=> $b } map { $niceness->($_) } glob "/proc/$pid/task/*";
    };
    my $own = $niceness->("/proc/$$");
    plan skip_all => 'this test is nice itself' if $own > 10;
    my $roster = Roster->new(@DAEMON, password => {nice => $own + 7}, api => {nice => 0});
    my $is = sub ($expected) {
        return wait_until(10, sub { $threads->(($roster->workers('password'))[0]) eq $expected });
    };
    ok $is->("$own " . ($own + 7)), 'the workers of password have a thread that steps back, as far as roster.conf says';
    my $of_api = sub {
        return join ',', map { $threads->($_) } $roster->workers('api');
    };
    ok wait_until(10, sub { $of_api->() eq "$own,$own" }), 'those of api have none';
    is $threads->($roster->process('roster')->pid), $own, 'nor has the master';
    $roster->configure(password => {nice => $own + 9});
    is $roster->reload, '', 'a reload';
    ok $is->("$own " . ($own + 9)), 'brings another niceness';
    $roster->configure(password => {nice => 0});
    is $roster->reload, '', 'a reload';
    ok $is->($own), 'or none';
    $roster->finish;
};

subtest 'stopping' => sub {
    my $roster = Roster->new(@DAEMON);
    my $held = hold($roster);
    $roster->process('roster')->signal('QUIT');
    ok $roster->wait_log(qr/stopping/), 'QUIT';
    Time::HiRes::sleep(0.3);
    ok $roster->running('roster'), 'waits for a request';
    ok !-e $roster->socket_path('password'), 'while nobody can connect any more';
    like release($held), qr/Status: \d\d\d/, 'which is answered';
    is $roster->stop('roster'), 0, 'then it ends';

    $roster->start('roster');
    $held = hold($roster);
    my $started = Time::HiRes::time();
    is $roster->process('roster')->stop('TERM'), 0, 'TERM ends it';
    my $took = Time::HiRes::time() - $started;
    ok $took > 1.5 && $took < 3 * $Roster::Process::patience, 'after two seconds, whatever the request does'
        or diag $took;

    # What waits in the queue when QUIT comes is still answered: three wait behind the one that holds the worker.
    $roster->start('roster');
    $held = hold($roster);
    my @waiting = map {
        my $socket = IO::Socket::UNIX->new(Type => Socket::SOCK_STREAM(), Peer => $roster->socket_path('password'))
            // die "connect: $!\n";
        syswrite $socket,
            Roster::Fastcgi::compose([REQUEST_METHOD => 'GET', REQUEST_URI => '/ping', REMOTE_ADDR => '127.0.0.1'], '');
        $socket;
    } 1 .. 3;
    $roster->process('roster')->signal('QUIT');
    Time::HiRes::sleep(0.2);
    release($held);
    my @answers = map { local $/ = undef; scalar(readline $_) // '' } @waiting;
    is scalar(grep { length } @answers), 3, 'the queue is emptied before the end';
    is $roster->stop('roster'), 0, 'which comes';
    $roster->finish;
};

subtest 'the death of the master' => sub {
    my $roster = Roster->new(@DAEMON);
    my @workers = $roster->workers;
    kill 'KILL', $roster->process('roster')->pid;
    ok wait_until(10, sub { !$roster->running('roster') }), 'it is gone';
    # A zombie of a worker may stay, where process 1 collects none.
    ok wait_until(
        10,
        sub {
            !grep { (content("/proc/$_/stat") // '') =~ /\) [^ZX] / } @workers;
        }
        ),
        'its workers end by themselves';
    ok -S $roster->socket_path('api') && -e "$roster->{directory}/roster.pid", 'files are left over';
    my ($status, $text) = $roster->run_program('roster', '-c', $roster->config_file, '-d');
    is $status, 0, 'another one starts all the same' or diag $text;
    my $pid = 0 + (content("$roster->{directory}/roster.pid") // 0);
    is ping($roster), 200, 'and answers';
    kill 'TERM', $pid if $pid;
    ok wait_until(10, sub { !-e "$roster->{directory}/roster.pid" }), 'and stops' or kill 'KILL', $pid;

    Roster::Database::write_file($roster->socket_path('api'), 'precious');
    ($status, $text) = $roster->run_program('roster', '-c', $roster->config_file);
    is $status >> 8, 1, 'a file that is no socket';
    like $text, qr/exists and is not a socket/, 'is refused';
    is content($roster->socket_path('api')), 'precious', 'and stays';
    $roster->allow_log(qr/exists and is not a socket/);
    $roster->finish;
};

subtest 'workers that die at the start' => sub {
    my $roster = Roster->new(@DAEMON, start => 0, config => {restart_limit => 3});
    $roster->allow_log(qr/giving up/);
    # A MariaDB that never says a word keeps them from becoming ready, for database_connect_timeout.
    my $mute =
        IO::Socket::UNIX->new(Type => Socket::SOCK_STREAM(), Local => $roster->socket_path('mariadb'), Listen => 100)
        // die "socket: $!\n";
    $roster->write_configuration;
    $roster->spawn('roster', ["$Roster::build/roster", '-c', $roster->config_file]);
    my $ended = wait_until(
        30,
        sub {
            kill 'USR2',
                grep { (content("/proc/$_/cmdline") // '') =~ /roster: \w+ worker/ }
                $roster->workers;    # nobody handles it: they end
            Time::HiRes::sleep(0.02);
            !$roster->running('roster');
        });
    ok $ended, 'the master gives up';
    is + ($roster->process('roster')->status // 0) >> 8, 1, 'with status 1';
    like $roster->log_text, qr/\[alert\] .*giving up: 3 workers died within 60 s.*start it again/,
        'and an alert, which says what to do';
    my $deaths = () = $roster->log_text =~ /died of signal 12/g;
    ok $deaths >= 5, 'after some more tries' or diag $deaths;
    $roster->finish;
};

subtest 'workers that die later' => sub {
    my $roster = Roster->new(@DAEMON, config => {restart_limit => 3});
    $roster->allow_log(qr/pool api is paused/);
    # Those that are there, and those that come.
    my $kill_all = sub {
        my @api = grep { (content("/proc/$_/cmdline") // '') =~ /roster: api worker/ } $roster->workers;
        kill 'USR2', @api;
        Time::HiRes::sleep(0.02);
        return @api;
    };
    my $paused = wait_until(30, sub { $kill_all->(); $roster->log_text =~ /is paused/ });
    ok $paused, 'the pool pauses';
    ok wait_until(30, sub { !$kill_all->() }), 'and none of it is left';
    like $roster->log_text,
        qr/\[alert\] .*pool api is paused for 60 s: 3 workers died within 60 s without.*503.*reload: kill -HUP \d+/,
        'with an alert, which says what to do';
    ok $roster->running('roster'), 'the master stays';
    for my $socket ('api', 'api-write', 'api') {
        my $answer = $roster->fastcgi(
            $socket,
            {REQUEST_METHOD => $socket eq 'api' ? 'GET' : 'POST', REQUEST_URI => '/users/x'},
            'x' x 100_000);
        is_problem $answer, 503, 'UNAVAILABLE', "$socket.sock: who comes gets 503";
        is $answer->{headers}{'retry-after'}, 5, 'with a time to come back';
    }
    is ping($roster, $_), 200, "$_ goes on" for qw(password directory status);
    my $state =
        $roster->fastcgi('status', {REQUEST_URI => '/status?format=json', QUERY_STRING => 'format=json'})->{json};
    ok $state->{pools}{api}{paused}, 'the status shows it';
    ok !$state->{pools}{password}{paused}, 'of this pool alone';
    my (undef, $text) = $roster->rosterctl('status');
    like $text, qr/^Pool api is paused, because its workers exited at start/m, 'and rosterctl';
    is $roster->reload, '', 'a reload';
    ok wait_until(10, sub { ping($roster) == 200 }), 'starts them at once';
    ok wait_until(10, sub { $roster->workers == 5 }), 'and nobody answers for them any more';
    ok $roster->wait_log(qr/pool api has workers again/), 'as the log says';

    # The same without a reload, after the time.
    $roster->configure(config => {restart_limit => 3, restart_interval => '1s'});
    is $roster->reload, '', 'with a shorter time';
    ok wait_until(
        30,
        sub {
            kill 'USR2', grep { (content("/proc/$_/cmdline") // '') =~ /roster: api worker/ } $roster->workers;
            Time::HiRes::sleep(0.02);
            $roster->log_text =~ /api is paused for 1 s/;
        }
        ),
        'the pool pauses again';
    ok wait_until(10, sub { ping($roster) == 200 }), 'and comes back by itself';
    is $roster->stop('roster'), 0, 'then it stops';
    $roster->finish;
};

subtest 'a stop while a pool is paused' => sub {
    my $roster = Roster->new(@DAEMON, config => {restart_limit => 2});
    $roster->allow_log(qr/is paused/);
    ok wait_until(
        30,
        sub {
            kill 'USR2', grep { (content("/proc/$_/cmdline") // '') =~ /roster: directory worker/ } $roster->workers;
            Time::HiRes::sleep(0.02);
            $roster->log_text =~ /directory is paused/;
        }
        ),
        'it is';
    is_problem $roster->fastcgi('directory', {REQUEST_URI => '/users/'}), 503, 'UNAVAILABLE', 'somebody answers';
    is $roster->stop('roster'), 0, 'it stops';
    $roster->finish;
};

subtest 'logs' => sub {
    my $roster = Roster->new(@DAEMON);
    my $log = "$roster->{directory}/log/roster-error.log";
    rename $log, "$roster->{directory}/log/rotated.log" or die "rename: $!\n";
    $roster->process('roster')->signal('USR1');
    ok $roster->wait_log(qr/#master: the logs were reopened/), 'USR1 opens the log anew';
    my ($victim) = $roster->workers('api');
    kill 'KILL', $victim;
    ok $roster->wait_log(qr/worker $victim of pool api died/), 'and it goes on there';
    ok wait_until(
        10,
        sub {
            !grep { /rotated/ } map { readlink($_) // '' } map { glob "/proc/$_/fd/*" } $roster->workers;
        }
        ),
        'no worker holds the old file';
    $roster->finish;

    # A full disk.
    $roster = Roster->new(@DAEMON, config => {error_log => '/dev/full', access_log => '/dev/full'});
    is ping($roster), 200, 'with a full disk it starts and answers';
    $roster->process('roster')->signal('HUP');
    Time::HiRes::sleep(0.5);
    is ping($roster), 200, 'and reloads';
    is $roster->stop('roster'), 0, 'and stops';
    $roster->finish;
};

for my $kind ('path', 'abstract') {
    subtest "systemd is notified ($kind)" => sub {
        my $roster = Roster->new(@DAEMON, start => 0);
        my $name = "$roster->{directory}/notify.sock";
        my $listener = IO::Socket::UNIX->new(Type => Socket::SOCK_DGRAM(), Local => $kind eq 'path' ? $name : "\0$name")
            // die "socket: $!\n";
        $roster->{options}{environment} =
            {NOTIFY_SOCKET => $kind eq 'path' ? $name : "\@$name", WATCHDOG_USEC => 200_000, WATCHDOG_PID => undef};
        my $messages = '';
        my $wait = sub ($pattern) {
            return wait_until(
                10,
                sub {
                    while (IO::Select->new($listener)->can_read(0)) {
                        $listener->recv(my $message, 4096);
                        $messages .= "$message\n--\n";
                    }
                    $messages =~ $pattern;
                });
        };
        $roster->start('roster');
        ok $wait->(qr/^READY=1\nSTATUS=ready; workers: 2 api, 1 password, 1 directory, 1 status$/m), 'READY'
            or diag $messages;
        ok $wait->(qr/(?:^WATCHDOG=1\n--\n){3}/m), 'WATCHDOG' or diag $messages;
        $messages = '';
        is $roster->reload, '', 'reload';
        ok $wait->(qr/^RELOADING=1\nMONOTONIC_USEC=\d+\n.*^READY=1$/ms), 'RELOADING, READY' or diag $messages;
        $messages = '';
        Roster::Database::write_file($roster->config_file, "nonsense\n");
        $roster->process('roster')->signal('HUP');
        ok $wait->(qr/^READY=1\nSTATUS=the last reload failed, the old configuration stays: .*:1: /m),
            'a failed reload stands in the status'
            or diag $messages;
        for my $worker ($roster->workers) {
            unlike content("/proc/$worker/environ") // '', qr/NOTIFY_SOCKET=./, 'workers do not know the socket'
                if !$ENV{ROSTER_TEST_VALGRIND};
        }
        $messages = '';
        is $roster->stop('roster'), 0, 'stop';
        ok $wait->(qr/^STOPPING=1$/m), 'STOPPING' or diag $messages;
        close $listener;
        $roster->finish;
    };
}

subtest 'socket activation: restarts lose nothing' => sub {
    my $roster = Roster->new(@DAEMON, start => 0);
    $roster->write_configuration;
    # The test plays systemd: it holds the sockets, and passes them as descriptors 3 and 4 (password first: they are
    # told apart by their paths).
    my @sockets = map {
        my $socket =
            IO::Socket::UNIX->new(Type => Socket::SOCK_STREAM(), Local => $roster->socket_path($_), Listen => 1024)
            // die "socket: $!\n";
        fcntl $socket, Fcntl::F_SETFD(), 0;
        $socket;
    } qw(password api);
    my @numbers = map { fileno $_ } @sockets;
    my $wrapper =
          'use POSIX; my ($p, $a, @c) = @ARGV; $p = POSIX::dup($p); $a = POSIX::dup($a); $p = POSIX::dup($p) '
        . 'while $p < 5; $a = POSIX::dup($a) while $a < 5;'
        . 'POSIX::dup2($p, 3); POSIX::dup2($a, 4); $^F = 255; $ENV{LISTEN_PID} = $$; $ENV{LISTEN_FDS} = 2; '
        . '$ENV{LISTEN_FDNAMES} = "b:a"; exec {$c[0]} @c or die';
    my $start = sub {
        $roster->spawn('roster', [$^X, '-e', $wrapper, @numbers, "$Roster::build/roster", '-c', $roster->config_file]);
        return $roster->wait_for('roster', sub { $roster->pool_answers('api') });
    };
    $start->();
    is ping($roster, 'password'), 200, 'both pools answer';
    my $load = load_start($roster->socket_path('api'));
    for (1 .. 5) {
        Time::HiRes::sleep(0.2);
        is $roster->stop('roster'), 0, "stop $_";
        ok -S $roster->socket_path('api'), 'the socket stays';
        $start->();
    }
    my ($good, $bad, $why) = load_stop($load);
    note "$good answers";
    ok $good > 10, 'requests were answered';
    is $bad, 0, 'none failed' or diag $why;

    # The unit of an earlier version passes no others, and they can't be made where only root may.
    $roster->stop('roster');
    $roster->configure(
        status => {listen => '/proc/none/status.sock'},
        api => {listen_second => '/proc/none/write.sock'});
    $start->();
    is ping($roster, $_), 200, "$_ answers" for qw(api password);
    ok $roster->wait_log(qr{systemd passed no socket for pool $_, and .*/proc/none/.*restart roster\.socket}),
        "$_: the log says what is missing"
        for qw(api status);
    is $roster->stop('roster'), 0, 'stop';
    $roster->finish;
};

done_testing;
