# A configuration is tried before it is used: at the start, at a reload, and what becomes of one that can't be.
use v5.36;

use Fcntl ();
use IO::Socket::UNIX;
use Socket ();
use Test::More;
use Time::HiRes ();

use Roster;

# One that starts although it must not would run for ever.
local $SIG{ALRM} = sub { die "this takes too long\n" };
alarm 600 * $Roster::Process::patience;

subtest 'a reload that would lose something' => sub {
    my $roster = Roster->new;
    my $admin = $roster->add_user(role => 'admin');
    my @before = $roster->workers;
    my $works = sub ($why) {
        local $Test::Builder::Level = $Test::Builder::Level + 1;
        is $roster->get("/users/$admin->{id}", $admin)->{status}, 200, "$why: the service goes on";
        is_deeply [$roster->workers], \@before, '... with the same workers';
    };
    $roster->sql('CREATE DATABASE empty_one');
    $roster->sql('GRANT ALL ON empty_one.* TO roster@localhost');
    my $unreachable = qr{MariaDB can't be reached with the new settings, but can with those in use};
    my @cases = (
        [qr{$unreachable: /proc/none/m\.sock}, database_socket => '/proc/none/m.sock'],
        [qr/MariaDB can't be reached with the new settings.*Access denied/, database_user => 'nobody'],
        [qr/the database empty_one has no tables of Roster's: call `rosterctl migrate`/, database_name => 'empty_one'],
        [
            qr{Redis can't be reached with the new settings.*/proc/none/r\.sock},
            redis_required => 'yes',
            redis_socket => '/proc/none/r.sock'
        ]);
    for my $case (@cases) {
        my ($pattern, %config) = @$case;
        my $name = join ', ', map { "$_ = $config{$_}" } sort keys %config;
        $roster->configure(config => {%config});
        like $roster->reload, qr/^$pattern.*; the old configuration stays/, "$name is refused, and the log says why";
        $works->($name);
        like $roster->status->{reload_error}, $pattern, 'the status, too';
        my ($status, $output) = $roster->rosterctl('reload');
        is $status >> 8, 1, 'rosterctl reload fails';
        like $output, qr/the old configuration stays: $pattern/, 'with the same words';
    }
    is $roster->status->{reload_failures}, 2 * @cases, 'all are counted';

    $roster->configure(config => {redis_socket => '/proc/none/r.sock'});
    is $roster->reload, '', 'Redis is optional, so it is no reason';
    $roster->configure(config => {});
    my ($status, $output) = $roster->rosterctl('reload');
    is $status, 0, 'rosterctl reload does it' or diag $output;
    is $output, "The service has the new configuration.\n", 'and says so';
    is $roster->status->{reload_error}, undef, 'the failures are over';
    @before = $roster->workers;

    # Nothing is lost where MariaDB is away under both.
    $roster->stop('mariadb');
    is $roster->reload, '', 'MariaDB is away: a reload goes through';
    $roster->configure(config => {database_socket => '/proc/none/m.sock'});
    is $roster->reload, '', 'whatever it says';
    $roster->configure(config => {});
    $roster->start('mariadb');
    is $roster->reload, '', 'and the way back';
    ok wait_until(20, sub { $roster->get("/users/$admin->{id}", $admin)->{status} == 200 }), 'then all is well';

    # MariaDB that answers nobody: the master does not wait with it.
    $roster->pause('mariadb');
    $roster->process('roster')->signal('HUP');
    is $roster->get('/ping')->{status}, 200, 'while a trial waits for MariaDB, others are served';
    $roster->resume('mariadb');
    is $roster->stop('roster'), 0, 'a stop during a trial';
    $roster->finish;
};

subtest 'a machine of 64 cores, and a small MariaDB' => sub {
    my $roster =
        Roster->new(start => 0, environment => {ROSTER_CORES => 64}, map { ($_ => {workers => undef}) } @Roster::POOLS);
    $roster->start(qw(mariadb redis nginx));
    $roster->sql('SET GLOBAL max_connections = 60');
    my $refused = sub { return ($roster->sql("SHOW GLOBAL STATUS LIKE 'Connection_errors_max_connections'"))[0][1] };
    $roster->start('roster');
    my $admin = $roster->add_user(role => 'admin');
    is scalar($roster->workers), 20, 'so many workers that even a reload leaves twenty connections';
    for my $pool (@Roster::POOLS) { ok $roster->workers($pool) >= 1, "$pool has some" }
    ok scalar($roster->workers('api')) > scalar($roster->workers('password')), 'api has more than password';
    my $few = qr/20 workers are started instead of 257/;
    like $roster->log_text,
        qr/MariaDB allows 60 connections: $few: raise its max_connections to 685 to start all, or set workers/,
        'one line of the log says so';
    is $roster->reload, '', 'a reload';
    ok wait_until(20, sub { $roster->workers == 20 }), 'has as many';
    is $refused->(), 0, 'and nobody was refused a connection';
    local $ENV{ROSTER_CORES} = 64;
    my ($status, $text) = $roster->run_program('roster', '-c', $roster->config_file, '-t');
    is $status, 0, 'roster -t' or diag $text;
    like $text, qr/MariaDB's max_connections is 60: $few: raise it to 685 to start all, or set workers/, 'says it too';
    (undef, $text) = $roster->rosterctl('doctor');
    like $text, $few, 'and doctor';

    # What somebody has chosen stands.
    $roster->{options}{api}{workers} = 12;
    $roster->write_configuration;
    is $roster->reload, '', 'another reload';
    ok wait_until(20, sub { $roster->workers('api') == 12 }), 'a number that was set is kept';
    ok wait_until(20, sub { my $all = $roster->workers; $all <= 20 }), 'and the others go with it';

    # Away at the start, it may be as small as Debian's.
    $roster->{options}{api}{workers} = undef;
    $roster->stop('roster');
    $roster->stop('mariadb');
    $roster->start('roster');
    is scalar($roster->workers), 57, 'without MariaDB, its default is what the numbers fit';
    like $roster->log_text,
        qr/allows 151 connections, as assumed while it is unavailable: 57 workers are started instead of 257/,
        'as the log says';
    $roster->finish;
};

# ---- At systemd's sockets ----

my $WRAPPER =
      'use POSIX; my $n = shift; my @s = splice @ARGV, 0, $n; for (@s) { $_ = POSIX::dup($_) while $_ < 3 + $n }'
    . 'POSIX::dup2($s[$_], 3 + $_) for 0 .. $#s; $^F = 255; $ENV{LISTEN_PID} = $$; $ENV{LISTEN_FDS} = $n; '
    . 'exec {$ARGV[0]} @ARGV or die';

subtest 'one that can not start' => sub {
    my $roster = Roster->new(start => 0);
    $roster->start(qw(mariadb redis nginx));
    $roster->write_configuration;
    my @sockets = map {
        my $socket =
            IO::Socket::UNIX->new(Type => Socket::SOCK_STREAM(), Local => $roster->socket_path($_), Listen => 64)
            // die "socket: $!\n";
        fcntl $socket, Fcntl::F_SETFD(), 0;
        $socket;
    } @Roster::SOCKETS;
    my $notify = IO::Socket::UNIX->new(Type => Socket::SOCK_DGRAM(), Local => "$roster->{directory}/notify.sock")
        // die "socket: $!\n";
    my $activate = sub {
        $roster->spawn(
            'roster',
            [
                $^X, '-e', $WRAPPER,
                scalar @sockets,
                (map { fileno $_ } @sockets),
                "$Roster::build/roster", '-c', $roster->config_file
            ],
            environment => {NOTIFY_SOCKET => "$roster->{directory}/notify.sock"});
    };
    my $key = "$roster->{directory}/secret.key";
    my $good_key = Roster::Database::slurp($key);
    my $file = $roster->config_file;
    my $good_file = Roster::Database::slurp($file);
    my %cases = (
        'no key' => [qr/secret\.key \(secret_key_file\): can't be read/, sub { unlink $key }],
        'a short key' => [
            qr/secret\.key \(secret_key_file\): line 1 is 5 bytes long/,
            sub { Roster::Database::write_file($key, "short\n") }
        ],
        'a mistake in roster.conf' =>
            [qr/there is no directive workerz/, sub { Roster::Database::write_file($file, "workerz = 3\n$good_file") }],
        'no roster.conf' => [qr/roster\.conf: can't be read/, sub { unlink $file }],
        'another listen than systemd has' => [
            qr/api\.sock.*; systemd gave no socket with this path, but \S+api\.sock.*: let ListenStream= in roster\.socket/,
            sub { Roster::Database::write_file($file, $good_file =~ s{^listen = \K\S+/api\.sock}{$file/api.sock}mr) }
        ],
        'newer tables' => [
            qr/the tables are at version 9999, made by a newer program/,
            sub {
                $roster->sql("INSERT INTO schema_migration (number, name, checksum, applied_at) "
                        . "SELECT 9999, '9999_later.sql', checksum, applied_at FROM schema_migration LIMIT 1");
            }
        ]);
    for my $name (sort keys %cases) {
        my ($pattern, $break) = @{$cases{$name}};
        $break->();
        # Somebody has been waiting already; the others come while it runs.
        my $early = $roster->open_connection;
        syswrite $early, Roster::Http::compose(GET => '/users/');
        $activate->();
        my $answer = Roster::Http::exchange($early, '');
        is_problem $answer, 503, 'UNAVAILABLE', "$name: who waited is told at once";
        for my $case (
            [GET => '/users/x'],
            [POST => '/auths/signin'],
            [POST => '/users/user/info/update'],
            [GET => '/status'],
            [GET => '/users/'])
        {
            $answer = $roster->request(@$case, $case->[0] eq 'POST' ? (json => {a => 'x' x 5000}) : ());
            is_problem $answer, 503, 'UNAVAILABLE', "@$case, too";
            is $answer->{headers}{'retry-after'}, 5, 'with a time to come back';
        }
        ok $roster->running('roster'), 'all that before it leaves';
        ok wait_until(20, sub { !$roster->running('roster') }), 'then it does';
        is $roster->process('roster')->status >> 8, 1, 'with status 1';
        like $roster->log_text('roster') . $roster->log_text, $pattern, 'and has said why';
        my $messages = '';
        while (IO::Select->new($notify)->can_read(0)) { $notify->recv(my $message, 4096); $messages .= "$message\n" }
        like $messages, qr/^STATUS=can't start, and answers 503: .*$pattern/m, 'to systemd as well';
        unlike $messages, qr/READY/, 'and never that it is ready';
        Roster::Database::write_file($key, $good_key);
        Roster::Database::write_file($file, $good_file);
        $roster->sql('DELETE FROM schema_migration WHERE number = 9999');
    }
    $roster->allow_log(qr/the tables are at version 9999|systemd gave no socket/);
    $activate->();
    ok wait_until(20, sub { $roster->get('/users/')->{status} == 401 }), 'once it is mended, it serves';
    is $roster->stop('roster'), 0, 'and stops';

    # Told to stop while it refuses.
    unlink $key;
    $activate->();
    is_problem $roster->get('/users/'), 503, 'UNAVAILABLE', 'another one that can not start';
    $roster->process('roster')->signal('TERM');
    ok wait_until(3, sub { !$roster->running('roster') }), 'leaves when it is told to';
    Roster::Database::write_file($key, $good_key);
    $roster->finish;
};

subtest 'older tables, and none' => sub {
    my $roster = Roster->new(start => 0);
    $roster->start(qw(mariadb redis));
    $roster->write_configuration;
    $roster->sql('CREATE TABLE kept AS SELECT * FROM schema_migration');
    $roster->sql('DELETE FROM schema_migration');
    my ($status, $text) = $roster->run_program('roster', '-c', $roster->config_file);
    is $status >> 8, 1, 'it does not start';
    like $text . $roster->log_text, qr/has no tables of Roster's: call `rosterctl migrate`/, 'and says what to do';
    ok !-S $roster->socket_path('api'), 'no socket keeps clients waiting';
    $roster->sql('INSERT INTO schema_migration SELECT * FROM kept');
    $roster->sql('DROP TABLE kept');
    $roster->allow_log(qr/has no tables/);
    $roster->start('roster');
    is $roster->fastcgi('api', {REQUEST_URI => '/ping'})->{status}, 200, 'with them it does';
    $roster->finish;
};

done_testing;
