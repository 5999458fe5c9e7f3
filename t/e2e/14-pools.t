# The pools and their queues: nothing that is slow, or waits, takes from others what they need. Orders of answers are
# looked at, not times.
use v5.36;

use IO::Socket::UNIX;
use Socket ();
use Test::More;
use Time::HiRes ();

use Roster;

# A worker that takes nothing must fail a test, and not hold it for ever.
local $SIG{ALRM} = sub { die "nobody answered in time\n" };
alarm 600 * $Roster::Process::patience;

my $roster = Roster->new(api => {workers => 4}, config => {log_level => 'info'});
my $admin = $roster->add_user(role => 'admin');
my $other = $roster->add_user;

# Sends a request through nginx, and gives the connection that its answer comes on.
sub send_request ($method, $target, %options) {
    my $socket = $roster->open_connection;
    syswrite $socket, Roster::Http::compose($method, $target, %options);
    return $socket;
}

sub answer_of ($socket) { return Roster::Http::exchange($socket, '') }

# The same past nginx, to a socket, with an id that its line in the access log has.
sub send_direct ($name, $id) {
    my $socket = IO::Socket::UNIX->new(Type => Socket::SOCK_STREAM(), Peer => $roster->socket_path($name))
        // die "connect: $!\n";
    syswrite $socket,
        Roster::Fastcgi::compose(
        [REQUEST_METHOD => 'GET', REQUEST_URI => '/ping', REMOTE_ADDR => '127.0.0.1', REQUEST_ID => $id], '');
    return $socket;
}

# Takes a worker: it has accepted this connection, and waits for the rest of the request.
sub hold ($name) {
    my $socket = IO::Socket::UNIX->new(Type => Socket::SOCK_STREAM(), Peer => $roster->socket_path($name))
        // die "connect: $!\n";
    syswrite $socket,
        substr Roster::Fastcgi::compose([REQUEST_METHOD => 'GET', REQUEST_URI => '/ping', REMOTE_ADDR => '127.0.0.1'],
        ''), 0, -8;
    return $socket;
}

sub release ($socket) {
    syswrite $socket, Roster::Fastcgi::record(5, '');
    local $/ = undef;
    return scalar(<$socket>) // '';
}

# The names of the sockets that a process listens on.
sub sockets_of ($pid) {
    my %path;
    open my $in, '<', '/proc/net/unix' or die "/proc/net/unix: $!\n";
    while (my $line = <$in>) {
        $path{$1} = $2 if $line =~ m{^\S+ \S+ \S+ 00010000 0001 01 +(\d+) \Q$roster->{directory}\E/([a-z-]+)\.sock$};
    }
    my %names;
    for my $file (glob "/proc/$pid/fd/*") {
        my ($inode) = (readlink $file // '') =~ /^socket:\[(\d+)\]$/ or next;
        $names{$path{$inode}} = 1 if $path{$inode};
    }
    return join ' ', sort keys %names;
}

subtest 'what each worker takes from' => sub {
    my $count = sub ($pool) {
        my %count;
        $count{sockets_of($_)}++ for $roster->workers($pool);
        return \%count;
    };
    is_deeply $count->('api'), {'api' => 1, 'api api-write' => 3}, 'all workers of api but one take writes';
    is_deeply $count->('password'), {'password password-first' => 1}, 'password';
    is_deeply $count->('directory'), {'directory' => 1}, 'directory';
    is_deeply $count->('status'), {'status' => 1}, 'status';
    for my $victims ('api', 'api api-write') {
        my ($victim) = grep { sockets_of($_) eq $victims } $roster->workers('api');
        kill 'KILL', $victim;
        ok wait_until(
            10,
            sub {
                my @now = $roster->workers('api');
                @now == 4 && !grep { $_ == $victim } @now;
            }
            ),
            "one that takes from $victims dies";
        ok wait_until(
            10, sub { my $now = $count->('api'); ($now->{'api'} // 0) == 1 && ($now->{'api api-write'} // 0) == 3 }
            ),
            '... and one like it comes';
    }
    my $reload = sub ($workers, $expected) {
        my $reloads = $roster->status->{reloads};
        $roster->{options}{api}{workers} = $workers;
        $roster->write_configuration;
        $roster->process('roster')->signal('HUP');
        return wait_until(20, sub { $roster->status->{reloads} > $reloads && $roster->workers('api') == $workers })
            && wait_until(
            10,
            sub {
                my $now = $count->('api');
                join(' ', map { "$_: $now->{$_}" } sort keys %$now) eq $expected;
            });
    };
    ok $reload->(2, 'api: 1 api api-write: 1'), 'after a reload, with two workers';
    ok $reload->(1, 'api api-write: 1'), 'with one, it takes everything';
    is $roster->post('/users/user/info/update', $admin, {a => 1})->{status}, 200, '... and writes';
    ok $reload->(4, 'api: 1 api api-write: 3'), 'with four again';
};

# How often the workers of api have given the processor up to wait for something.
sub waits_of_workers () {
    my $sum = 0;
    $sum += (Roster::Database::slurp("/proc/$_/status") =~ /^voluntary_ctxt_switches:\s+(\d+)/m)[0]
        for $roster->workers('api');
    return $sum;
}

subtest 'one connection wakes one worker' => sub {
    my $requests = 200;
    my $before = waits_of_workers();
    my $answers = 0;
    for my $time (1 .. $requests) {
        my $socket = send_direct($time % 2 ? 'api' : 'api-write', "single-$time");
        local $/ = undef;
        $answers += <$socket> =~ /pong/;
    }
    is $answers, $requests, 'all are answered';
    # The worker waits for the connection, and then perhaps for the request. If all woke, it would be five times.
    cmp_ok waits_of_workers() - $before, '<', 3 * $requests, 'the other workers sleep on';
};

# A connection that wakes a worker which then takes another one would wait here for ever, as nothing else comes. All
# come within a few microseconds, so that the first worker is still waking up when the last one comes. Three workers take
# from both sockets.
subtest 'no connection waits while a worker is idle' => sub {
    local $SIG{PIPE} = 'IGNORE';
    my %address = map { ($_ => Socket::pack_sockaddr_un($roster->socket_path($_))) } qw(api api-write);
    my $request =
        Roster::Fastcgi::compose([REQUEST_METHOD => 'GET', REQUEST_URI => '/ping', REMOTE_ADDR => '127.0.0.1'], '');
    for my $round (1 .. 100) {
        my @to = map { $address{$_} } $round % 2 ? qw(api api-write api) : qw(api-write api api-write);
        my @held = map { IO::Socket::UNIX->new(Type => Socket::SOCK_STREAM()) } @to;
        connect $held[$_], $to[$_] or die "connect: $!\n" for 0 .. $#to;
        syswrite $_, substr $request, 0, -8 for @held;
        my $busy = wait_until(10, sub { $roster->status->{pools}{api}{busy} == 3 });
        my $answers = grep { release($_) =~ /pong/ } @held;
        is $answers, 3, "three answers ($round)";
        ok $busy, "three connections have three workers ($round)" or last;
    }
};

subtest 'a locked row, and more writes to it than workers' => sub {
    my $second = Roster::Database->connect($roster->socket_path('mariadb'));
    $second->run('START TRANSACTION');
    $second->run('SELECT id FROM `user` WHERE id = ? FOR UPDATE', $other->{id});
    my @writes = map {
        send_request(
            POST => '/users/user/status/update',
            token => $other->{token},
            json => {status_message => "text $_"})
    } 1 .. 12;
    ok wait_until(
        10, sub { $roster->status->{pools}{api}{busy} == 3 && $roster->status->{pools}{api}{second_waiting} > 0 }
        ),
        'three workers wait for it, and the rest of the writes in the queue';
    for my $time (1 .. 10) {
        is $roster->get('/ping')->{status}, 200, "/ping answers ($time)";
        is $roster->get("/users/$_->{id}", $admin)->{status}, 200, "reading answers ($time)" for $admin, $other;
    }
    is $roster->get('/users/', $admin)->{status}, 200, 'the list';
    cmp_ok $roster->status->{pools}{api}{busy}, '>=', 2, 'all that while they wait';
    $second->run('COMMIT');
    my %statuses;
    for my $write (@writes) { my $answer = answer_of($write); $statuses{$answer ? $answer->{status} : 'none'}++ }
    $second->disconnect;
    # A wait for a lock may be over before ours is; none is refused for being the fourth.
    is_deeply [grep { !/^(?:200|503)$/ } keys %statuses], [], 'each write gets its answer' or diag explain \%statuses;
    ok $statuses{200}, 'and those after the lock are done';
};

subtest 'forty searches at once' => sub {
    my $held = hold('directory');
    ok wait_until(10, sub { $roster->status->{pools}{directory}{busy} == 1 }), 'the pool is busy';
    my @searches = map { send_request(GET => '/users/search?query=person', token => $admin->{token}) } 1 .. 40;
    ok wait_until(10, sub { $roster->status->{pools}{directory}{waiting} == 40 }), 'forty searches wait';
    is $roster->get("/users/$other->{id}", $admin)->{status}, 200, 'reading goes on' for 1 .. 5;
    is $roster->post('/users/user/info/update', $admin, {b => 1})->{status}, 200, 'writing too';
    is $roster->status->{pools}{directory}{waiting}, 40, 'before any of them is answered';
    like release($held), qr/pong/, 'then it is free';
    is scalar(grep { (answer_of($_) // {status => 0})->{status} == 200 } @searches), 40, 'and all are answered';
};

subtest 'those who go first' => sub {
    my $held = hold('password');
    ok wait_until(10, sub { $roster->status->{pools}{password}{busy} == 1 }), 'the pool is busy';
    my @sent = map { send_direct('password', "stranger-$_") } 1 .. 5;
    push @sent, map { send_direct('password-first', "known-$_") } 1 .. 5;
    my $password = $roster->status->{pools}{password};
    is_deeply [@{$password}{qw(waiting second_waiting)}], [5, 5], 'both queues hold five';
    release($held);
    for my $socket (@sent) { local $/ = undef; like scalar(<$socket>) // '', qr/pong/, 'an answer' }
    ok wait_until(10,
        sub { my $count = () = $roster->log_text('roster-access') =~ /request=(?:known|stranger)-\d/g; $count == 10 }),
        'all stand in the log';
    my @order = $roster->log_text('roster-access') =~ /request=(known|stranger)-\d/g;
    is "@order", join(' ', ('known') x 5, ('stranger') x 5), 'those at the second socket were taken first';
};

subtest 'a worker for those who go first' => sub {
    $roster->{options}{password}{workers} = 2;
    $roster->restart('roster');
    my %count;
    $count{sockets_of($_)}++ for $roster->workers('password');
    is_deeply \%count, {'password password-first' => 1, 'password-first' => 1},
        'one of two takes from the second socket alone';
    my $held = hold('password');
    ok wait_until(10, sub { $roster->status->{pools}{password}{busy} == 1 }), 'a stranger holds the other one';
    my @strangers = map { send_direct('password', "waits-$_") } 1 .. 5;
    ok wait_until(10, sub { $roster->status->{pools}{password}{waiting} == 5 }), 'and five wait';
    for my $time (1 .. 10) {
        my $socket = send_direct('password-first', "reserved-$time");
        local $/ = undef;
        like scalar(<$socket>) // '', qr/pong/, "who goes first is answered ($time)";
    }
    my $password = $roster->status->{pools}{password};
    is_deeply [@{$password}{qw(busy waiting)}], [1, 5], 'while the strangers still wait';
    like release($held), qr/pong/, 'then they go on';
    for my $socket (@strangers) { local $/ = undef; like scalar(<$socket>) // '', qr/pong/, 'and all are answered' }
};

subtest 'reads and writes in turn' => sub {
    $roster->{options}{api}{workers} = 1;
    $roster->restart('roster');
    my $held = hold('api');
    ok wait_until(10, sub { $roster->status->{pools}{api}{busy} == 1 }), 'the only worker is busy';
    my @sent = map { (send_direct('api', "read-$_"), send_direct('api-write', "write-$_")) } 1 .. 6;
    release($held);
    for my $socket (@sent) { local $/ = undef; <$socket> }
    ok wait_until(
        10, sub { my $count = () = $roster->log_text('roster-access') =~ /request=(?:read|write)-\d/g; $count == 12 }
        ),
        'all stand in the log';
    my @order = $roster->log_text('roster-access') =~ /request=(read|write)-\d/g;
    like "@order", qr/^(?:(?:read write ?){6}|(?:write read ?){6})$/, 'neither queue waits for the other to be empty';
};

subtest 'out of file descriptors' => sub {
    my ($worker) = $roster->workers('api');
    my %open = map { m{/(\d+)$} ? ($1 => 1) : () } glob "/proc/$worker/fd/*";
    my ($free) = grep { !$open{$_} } 0 .. 1000;
    my ($prlimit) = grep { -x } map { "$_/prlimit" } split /:/, $ENV{PATH};
    plan skip_all => 'prlimit of util-linux is not there' if !$prlimit;
    my ($before) = Roster::Database::slurp("/proc/$worker/limits") =~ /^Max open files +(\d+)/m;
    my $switches =
        sub { return (Roster::Database::slurp("/proc/$worker/status") =~ /^voluntary_ctxt_switches:\s+(\d+)/m)[0] };
    is system($prlimit, '--pid', $worker, "--nofile=$free:"), 0, "no file above $free";
    my $waiting = send_direct('api', 'late');
    ok $roster->wait_log(qr/\[error\] .*connections can't be accepted.*Too many open files.*LimitNOFILE/),
        'the log says so';
    my $start = $switches->();
    # One that does not pause between its tries never gives the processor up by itself.
    ok wait_until(10, sub { $switches->() >= $start + 5 }), 'it pauses between its tries';
    is scalar(() = $roster->log_text =~ /can't be accepted/g), 1, 'the log says it once';
    is system($prlimit, '--pid', $worker, "--nofile=$before:"), 0, 'the limit is raised';
    like do { local $/ = undef; scalar <$waiting> }, qr/pong/, 'who waited is answered';
    ok $roster->wait_log(qr/connections are accepted again/), 'and the log says that too';
};

$roster->finish;

subtest 'stepping back' => sub {
    # Hashes that take a tenth of a second or more, so that the clock of each thread shows where they ran.
    my $slow = Roster->new(config => {password_scrypt_n => undef, password_scrypt_p => undef});
    my @people = map { $slow->add_user } 1 .. 6;
    my ($worker) = $slow->workers('password');
    my $nice = sub ($task) { return ((Roster::Database::slurp("$task/stat") =~ s/^.*\) //sr) =~ /(\S+)/g)[16] };
    my ($first, $second) = sort { $nice->($a) <=> $nice->($b) } glob "/proc/$worker/task/*";
    my $ticks = sub ($task) {
        my @fields = (Roster::Database::slurp("$task/stat") =~ s/^.*\) //sr) =~ /(\S+)/g;
        return $fields[11] + $fields[12];
    };
    my $sign_in = sub ($person) {
        return {method => 'POST', json => {email => $person->{email}, password => $person->{password}}};
    };
    is $slow->request(POST => '/auths/signin', json => $sign_in->($_)->{json})->{status}, 200, 'one after the other'
        for @people;
    my ($first_before, $second_before) = ($ticks->($first), $ticks->($second));
    cmp_ok $first_before, '>', 20, 'they run as any other process';
    cmp_ok $second_before, '<', 5, 'and nothing steps back';
    my @sockets = map {
        my $socket = $slow->open_connection;
        syswrite $socket, Roster::Http::compose(POST => '/auths/signin', json => $sign_in->($_)->{json});
        $socket;
    } @people;
    is Roster::Http::exchange($_, '')->{status}, 200, 'all at once' for @sockets;
    cmp_ok $ticks->($second) - $second_before, '>', 20, 'those behind whom somebody waits step back';
    ok wait_until(10, sub { (Roster::Database::slurp("/proc/$worker/autogroup") =~ /nice (-?\d+)/)[0] == 0 }),
        'and the session has its weight again'
        if -e "/proc/$worker/autogroup";
    is $slow->request(POST => '/auths/signin', json => $sign_in->($people[0])->{json})->{status}, 200, 'the next one';
    $slow->finish;
};

done_testing;
