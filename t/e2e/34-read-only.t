# A database that turns read-only (a failover, SET GLOBAL read_only = 1): the next host of database_host is taken, and
# while none takes writes everybody is told so, /ready, /status, roster -t and doctor among them; all is well
# afterwards, without a restart of roster.
use v5.36;

use Test::More;
use Roster;
use Time::HiRes ();

my %short = (database_read_timeout => '4s', database_connect_timeout => '2s', last_active_interval => '1d');
my ($roster, $user, $admin);

# Every worker of the pool, with one request each, which changes nothing: one of them leaves changes to the others.
sub on_all ($code) {
    return map { in_short($_) } $roster->on_each_worker('api', $code);
}

# What the service says while no server takes writes.
sub refuses ($name) {
    is_unavailable $roster->post('/users/user/info/update', $user, {refused => 1}), "$name: a write";
    is_unavailable $roster->get('/ready'), "$name: /ready";
    like $roster->get('/ready')->{json}{detail}, qr/read-only/, "$name: and why";
    # A worker that has not written looks every second.
    ok wait_until(
        10,
        sub {
            my %seen = map { ($_ => 1) } on_all(sub { $roster->get('/users/user/status', $user) });
            join(',', keys %seen) eq '503 UNAVAILABLE';
        }
        ),
        "$name: reads too, as what they would get may be old";
    is_unavailable $roster->sign_in($user), "$name: signing in";
    is_unavailable $roster->ask(DELETE => "/users/$user->{id}", $admin), "$name: deleting somebody";
    is $roster->get('/ping')->{status}, 200, "$name: /ping answers";
    is_problem $roster->get('/users/'), 401, 'NOT_AUTHENTICATED', "$name: who needs no row is answered";
    ok wait_until(10, sub { $roster->get('/ready'); $roster->status->{mariadb} eq 'read-only' }),
        "$name: /status says it";
    return;
}

sub recovers ($name) {
    ok wait_until(10, sub { $roster->get('/ready')->{status} == 200 }), "$name: /ready is well again";
    ok wait_until(
        10,
        sub {
            my %seen = map { ($_ => 1) } on_all(sub { $roster->get('/users/user/status', $user) });
            join(',', keys %seen) eq '200';
        }
        ),
        "$name: all workers answer";
    is $roster->post('/users/user/info/update', $user, {back => 1})->{json}{back}, 1, "$name: writes are done";
    # A worker does not try for a second after it has failed.
    ok wait_until(
        10,
        sub {
            $roster->sign_in($user)->{status} == 200;
        }
        ),
        "$name: people sign in";
    is $roster->status->{mariadb}, 'present', "$name: /status says it";
    return;
}

# ---- One server ----

$roster = Roster->new(config => \%short, api => {workers => 3});
$admin = $roster->add_user(role => 'admin', last_active_at => time);
$user = $roster->add_user(last_active_at => time);
my @workers = $roster->workers;

for my $switch (['read_only', 1], ['tx_read_only', 1]) {
    my ($name, $on) = @$switch;
    subtest "one server: $name" => sub {
        is $roster->post('/users/user/info/update', $user, {before => 1})->{status}, 200, 'all is well at first';
        my $before = $roster->count_log(qr/MariaDB is read-only/);
        $roster->sql("SET GLOBAL $name = $on");
        # This one is for those that are connected: what a transaction may do is decided when a session begins.
        if ($name eq 'tx_read_only') {
            $roster->kill_connections;
        }
        refuses($name);
        my ($status, $output) = $roster->run_program('roster', '-c', $roster->config_file, '-t');
        isnt $status, 0, 'roster -t fails';
        my $refusal = qr/it is read-only \($name is (?:ON|1)\)/;
        like $output,
            qr/error: MariaDB at \S+mariadb\.sock: $refusal: if it should accept writes: SET GLOBAL $name = 0/,
            'and says what to do'
            or diag $output;
        ($status, $output) = $roster->rosterctl('doctor');
        isnt $status, 0, 'so does doctor';
        like $output, qr/^error +dependencies +MariaDB at .*\($name is (?:ON|1)\)/m, 'in the same words'
            or diag $output;
        like $output, qr/^error +service +.*read-only/m, 'and what /ready says' or diag $output;
        $roster->sql("SET GLOBAL $name = 0");
        recovers($name);
        is $roster->count_log(qr/MariaDB is read-only/) - $before, 1, 'one line of the log said so'
            or diag $roster->log_text;
        like $roster->log_text, qr/\[error\].*MariaDB is read-only: \S+: it is read-only \($name is/, 'with the reason';
        is $roster->get('/users/user/status', $user)->{json}{info}{refused}, undef,
            'nothing of what was refused has happened';
    };
}

subtest 'by itself a write finds out' => sub {
    # Within the second in which nobody looks: the server's refusal (1290) is what tells.
    for my $round (1 .. 3) {
        # One worker may have been asked all the time since the last round, and another still wait for its second to
        # pass.
        Time::HiRes::sleep(1.1);
        is $roster->post('/users/user/info/update', $user, {round => $round})->{status}, 200, 'just looked at'
            for 1 .. 6;
        $roster->sql('SET GLOBAL read_only = 1');
        is_unavailable $roster->post('/users/user/info/update', $user, {refused => 1}), 'the very next write';
        $roster->sql('SET GLOBAL read_only = 0');
        my $good = 0;
        ok wait_until(
            10,
            sub {
                $good =
                    $roster->post('/users/user/info/update', $user, {round => $round})->{status} == 200 ? $good + 1 : 0;
                $good == 6;
            }
            ),
            'and it is over';
    }
    unlike $roster->log_text, qr/INTERNAL_ERROR|MariaDB refused with error/, 'never 500';
};
is join(' ', $roster->workers), "@workers", 'the workers are the same';
$roster->finish;

# ---- Two servers ----

# A copy of the first one's data behind another port: no replication, so that what is written where can be told.
my @ports = map { Roster::free_port() } 1, 2;
my @more = map { ['--skip-networking=0', '--bind-address=127.0.0.1', "--port=$_"] } @ports;
$roster = Roster->new(
    config => {%short, database_host => "127.0.0.1:$ports[0] 127.0.0.1:$ports[1]"},
    api => {workers => 3},
    mariadb => $more[0],
    start => 0);
$roster->start('mariadb');
$admin = $roster->add_user(role => 'admin', last_active_at => time);
$user = $roster->add_user(last_active_at => time);
$roster->sql("CREATE USER 'roster'\@'127.0.0.1' IDENTIFIED BY '$roster->{database_password}'");
$roster->sql("GRANT SELECT, INSERT, UPDATE, DELETE ON roster.* TO 'roster'\@'127.0.0.1'");
$roster->stop('mariadb');
my $directory = $roster->directory;
system('cp', '-a', "$directory/mariadb/data", "$directory/mariadb/second") == 0 or die "cp failed\n";
my $socket = $roster->socket_path('second');

sub start_second () {
    $roster->spawn('second', Roster::Database::server_command("$directory/mariadb/second", $socket, @{$more[1]}));
    $roster->wait_for('second', sub { IO::Socket::UNIX->new(Peer => $socket) });
    return Roster::Database->connect($socket);
}
my $second = start_second();
$roster->start;
@workers = $roster->workers;

sub info_at ($which) {
    my $sql = 'SELECT JSON_KEYS(info) FROM user WHERE id = ?';
    my $keys = $which == 1 ? scalar $roster->sql($sql, $user->{id}) : ($second->run($sql, $user->{id}))[1][0][0];
    return join ' ', sort +($keys // '') =~ /"(\w+)"/g;
}

subtest 'two servers' => sub {
    $second->run('SET GLOBAL read_only = 1');
    is $roster->post('/users/user/info/update', $user, {first => 1})->{status}, 200, 'the first one is written to';
    is_deeply [info_at(1), info_at(2)], ['first', ''], 'and not the second';
    my ($status, $output) = $roster->run_program('roster', '-c', $roster->config_file, '-t');
    is $status, 0, 'roster -t is content' or diag $output;
    my $at = qr/MariaDB at 127\.0\.0\.1:$ports[1]/;
    like $output, qr/warning: $at: it is read-only \(read_only is ON\): .*SET GLOBAL read_only = 0/,
        'and names the one that takes no writes'
        or diag $output;

# A failover. There is always one that takes writes: a worker that looks while none does leaves both alone for a second.
    $second->run('SET GLOBAL read_only = 0');
    $roster->sql('SET GLOBAL read_only = 1');
    my @answers = map { in_short($roster->post('/users/user/info/update', $user, {over => 1})) } 1 .. 10;
    is_deeply \@answers, [('200') x 10], 'each worker goes over with its first write, and nobody notices';
    is_deeply [info_at(1), info_at(2)], ['first', 'over'], 'to the second';
    is $roster->get('/ready')->{status}, 200, 'ready';

    # Those that only read.
    $roster->sql('SET GLOBAL read_only = 0');
    $second->run('SET GLOBAL read_only = 1');
    ok wait_until(
        10,
        sub {
            my @seen = map { join ' ', $_->{status}, sort keys %{$_->{json}{info} // {}} }
                $roster->on_each_worker('api', sub { $roster->get('/users/user/status', $user) });
            "@seen" eq join ' ', ('200 first') x 3;
        }
        ),
        'whoever only reads comes back to the first, too';

    # None of them.
    $roster->sql('SET GLOBAL read_only = 1');
    refuses('neither takes writes');
    ($status, $output) = $roster->run_program('roster', '-c', $roster->config_file, '-t');
    isnt $status, 0, 'roster -t fails';
    like $output, qr/MariaDB at 127\.0\.0\.1:$_: it is read-only/, "and names $_" for @ports;
    like $output, qr/error: no server of database_host accepts writes/, 'and what that means' or diag $output;
    $second->run('SET GLOBAL read_only = 0');
    recovers('the second takes writes');
    is info_at(2), 'back over', 'there';

    # Both do, and know nothing of each other.
    $roster->sql('SET GLOBAL read_only = 0');
    ($status, $output) = $roster->run_program('roster', '-c', $roster->config_file, '-t');
    like $output, qr/warning: .*127\.0\.0\.1:$ports[0] and 127\.0\.0\.1:$ports[1] both accept writes.*read_only/,
        'roster -t warns of that'
        or diag $output;
};

subtest 'one is away, the other read-only' => sub {
    $second->disconnect;
    $roster->stop('second');
    $roster->sql('SET GLOBAL read_only = 1');
    refuses('one away, one read-only');
    my ($status, $output) = $roster->run_program('roster', '-c', $roster->config_file, '-t');
    like $output, qr/error: MariaDB can't be reached: 127\.0\.0\.1:$ports[1]: \[2002\]/, 'roster -t tells them apart'
        or diag $output;
    $roster->sql('SET GLOBAL read_only = 0');
    recovers('the one that is there');
    ($status, $output) = $roster->run_program('roster', '-c', $roster->config_file, '-t');
    is $status, 0, 'one of two is enough for roster -t';
    like $output, qr/warning: MariaDB can't be reached: 127\.0\.0\.1:$ports[1]: \[2002\]/, 'which warns'
        or diag $output;
};
unlike $roster->log_text, qr/MariaDB refused with error/, 'never 500';
is join(' ', $roster->workers), "@workers", 'the workers are the same';

done_testing;
