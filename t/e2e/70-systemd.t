# What systemd does with Roster: the units as systemd-analyze judges them, and the service's command line as systemd would run it, with its sockets, its
# credentials and its notifications; the test plays systemd. That the sandbox lets the service work is shown by debian/tests/site, which needs a systemd.
use v5.36;

use Test::More;
use Roster;

use Fcntl ();
use File::Copy ();
use IO::Select;
use IO::Socket::UNIX;
use Socket ();
use Time::HiRes ();

my ($source, $build) = ($Roster::source, $Roster::build);
my @filled_in = qw(roster.service roster.socket roster-pictures.service);
my %unit = map { ($_ => Roster::Database::slurp("$build/conf/systemd/$_")) } @filled_in;
my $analyze = (grep { -x } map {"$_/systemd-analyze"} split /:/, $ENV{PATH})[0];

sub run ($command) {
    my $output = `$command 2>&1`;
    return ($? >> 8, $output);
}

# The default of a directive: of a pool, where it is given.
my $table = Roster::Database::slurp("$source/src/tables/directives.def");
sub default_of ($name, $pool = undef) {
    return ($table =~ ($pool ? qr/^POOL_DEFAULT\($pool, $name, "(.*)"\)/m : qr/^DIRECTIVE\($name, \w+, \w+, "(.*?)"/m))[0];
}

# ---- The files ----

subtest 'the units go with each other and with the defaults' => sub {
    unlike join('', values %unit), qr/\@\w+\@/, 'all words are filled in';
    is_deeply [$unit{'roster.socket'} =~ /^ListenStream=(.*)$/mg], [map { default_of('listen', $_) } qw(api password)], 'sockets';
    is_deeply [sort $unit{'roster.service'} =~ /^LoadCredential=(\w+):/mg], [sort map {s/_file$//r} $table =~ /^DIRECTIVE\((\w+), \w+, SECRET_PATH/mg], 'each secret is a credential';
    like $unit{'roster.service'}, qr/^LoadCredential=secret_key:.*\/roster\/secret\.key$/m, 'the key';
    my ($stop) = $unit{'roster.service'} =~ /^TimeoutStopSec=(\d+)s$/m;
    my ($shutdown) = default_of('shutdown_timeout') =~ /^(\d+)s$/;
    cmp_ok $stop, '>', $shutdown, 'a stop may take longer than shutdown_timeout';
    my $tmpfiles = Roster::Database::slurp("$build/conf/tmpfiles.d/roster.conf");
    my $logrotate = Roster::Database::slurp("$source/conf/logrotate/roster");
    for my $file (map { default_of($_) } qw(error_log access_log pid_file)) {
        my ($directory, $name) = $file =~ m{^(.*)/(.*)$};
        like $tmpfiles, qr/^d \Q$directory\E /m, "$directory is made";
        like $unit{'roster.service'}, qr/^ReadWritePaths=.*-\Q$directory\E\b/m, "$directory may be written";
        like $logrotate, qr/^\Q$directory\E\/\*\.log \{/m, "$file is rotated" if $name =~ /\.log$/;
    }
    my ($store) = Roster::Database::slurp("$source/src/ctl/ctl_nginx.c") =~ /"STORE_DIRECTORY", "store-directory", "(.*?)"/;
    like $tmpfiles, qr/^d \Q$store\E\/(?:pictures|temporary) /m, 'pictures are kept where nginx is told to';
    like $unit{'roster-pictures.service'}, qr/^ExecStart=\S*find \Q$store\E /m, 'and removed there';
    like Roster::Database::slurp("$source/conf/sysusers.d/roster.conf"), qr/^u \Q@{[default_of('user')]}\E /m, 'the user';
};

SKIP: {
    skip 'systemd-analyze is not there: install systemd', 2 if !$analyze;
    my $directory = File::Temp::tempdir(CLEANUP => 1);
    File::Copy::copy($_, $directory) or die "$_: $!\n" for (map {"$build/conf/systemd/$_"} @filled_in), "$source/conf/systemd/roster-pictures.timer";
    subtest 'systemd-analyze verify' => sub {
        for my $unit (@filled_in, 'roster-pictures.timer') {
            my ($status, $output) = run("cd $directory && SYSTEMD_LOG_LEVEL=warning $analyze verify --man=no --recursive-errors=no ./$unit");
            is $status, 0, $unit or diag $output;
            is $output, '', 'nothing to complain about';
        }
    };
    subtest 'systemd-analyze security' => sub {
        for my $unit (grep {/service$/} @filled_in) {
            my ($status, $output) = run("cd $directory && $analyze security --no-pager --offline=true --threshold=20 ./$unit");
            my ($level) = $output =~ /Overall exposure level for \S+ ([\d.]+)/;
            is $status, 0, "$unit: " . ($level // 'no') . ' is at most 2.0' or diag $output;
        }
    };
}

# ---- The service's command line ----

# ExecStart= as systemd runs it, for programs and files of this build.
sub command_of ($roster) {
    my ($line) = $unit{'roster.service'} =~ /^ExecStart=(.*)$/m;
    my ($script) = $line =~ m{^/bin/sh -c '(.*)'$} or die "ExecStart= has another form: $line\n";
    my $config = $roster->config_file;
    $script =~ s/\$\$/\$/g;
    $script =~ s{\S+/rosterctl(.*?) migrate}{$build/rosterctl -c $config$1 migrate --directory $source/sql} or die "no migration in $line\n";
    $script =~ s{\S+/roster$}{$build/roster -c $config} or die "no daemon in $line\n";
    return ('/bin/sh', '-c', $script);
}

# Passes two sockets as descriptors 3 and 4, in the order of roster.socket.
my $WRAPPER = 'use POSIX; my ($a, $p, @c) = @ARGV; for ($a, $p) { $_ = POSIX::dup($_) while $_ < 5 }'
    . 'POSIX::dup2($a, 3); POSIX::dup2($p, 4); $^F = 255; $ENV{LISTEN_PID} = $$; $ENV{LISTEN_FDS} = 2; exec {$c[0]} @c or die';

sub as_systemd ($roster) {
    my $directory = $roster->{directory};
    my $credentials = "$directory/credentials";
    mkdir $credentials;
    # As LoadCredential= does it, and SetCredential= where there is no file.
    File::Copy::copy("$directory/secret.key", "$credentials/secret_key") or die "secret.key: $!\n";
    if (-e "$directory/database.password") { File::Copy::copy("$directory/database.password", "$credentials/database_password") or die "database.password: $!\n" }
    my %default = $unit{'roster.service'} =~ /^SetCredential=(\w+):(.*)$/mg;
    for my $name (sort keys %default) {
        Roster::Database::write_file("$credentials/$name", $default{$name} =~ s/\\n/\n/gr) if !-e "$credentials/$name";
    }
    chmod 0400, glob "$credentials/*";
    $roster->{options}{config} = {secret_key_file => undef, database_password_file => undef};
    $roster->write_configuration;

    my @sockets = map {
        my $socket = IO::Socket::UNIX->new(Type => Socket::SOCK_STREAM(), Local => $roster->socket_path($_), Listen => 1024) // die "socket: $!\n";
        fcntl $socket, Fcntl::F_SETFD(), 0;
        $socket;
    } qw(api password);
    my $notify = IO::Socket::UNIX->new(Type => Socket::SOCK_DGRAM(), Local => "$directory/notify.sock") // die "socket: $!\n";
    $roster->spawn(
        'roster', [$^X, '-e', $WRAPPER, (map { fileno $_ } @sockets), command_of($roster)],
        environment => {NOTIFY_SOCKET => "$directory/notify.sock", WATCHDOG_USEC => 200_000, WATCHDOG_PID => undef, CREDENTIALS_DIRECTORY => $credentials});
    my $messages = '';
    my $wait = sub ($pattern) {
        return wait_until(
            20, sub {
                while (IO::Select->new($notify)->can_read(0)) {
                    $notify->recv(my $message, 4096);
                    $messages .= "$message\n";
                }
                $messages =~ $pattern;
            });
    };
    return (\@sockets, $wait);
}

subtest 'sockets, credentials, notifications' => sub {
    my $roster = Roster->new(start => 0);
    $roster->start(qw(mariadb redis nginx));
    my ($sockets, $wait) = as_systemd($roster);
    ok $wait->(qr/^READY=1$/m), 'READY' or diag $roster->log_tail('roster');
    ok $wait->(qr/^WATCHDOG=1$/m), 'WATCHDOG';
    my $admin = $roster->add_user(role => 'admin');
    is $roster->request(GET => '/users/', token => $admin->{token})->{status}, 200, "the key and the database's password came as credentials";
    is $roster->request(POST => '/auths/signin', json => {email => $admin->{email}, password => $admin->{password}})->{status}, 200, 'both pools answer';
    is $roster->stop('roster'), 0, 'QUIT ends it';
    ok $wait->(qr/^STOPPING=1$/m), 'STOPPING';
    ok -S $roster->socket_path($_), "$_.sock stays" for qw(api password);
    $roster->finish;
};

subtest 'MariaDB is away at the start' => sub {
    my $roster = Roster->new(without => ['mariadb'], start => 0);
    $roster->allow_log(qr/MariaDB/);
    $roster->start(qw(redis nginx));
    my ($sockets, $wait) = as_systemd($roster);
    ok $wait->(qr/^READY=1$/m), 'it starts all the same' or diag $roster->log_tail('roster');
    is_problem $roster->request(GET => '/ready'), 503, 'UNAVAILABLE', 'and says that it is not ready';
    $roster->finish;
};

subtest 'a mistake in roster.conf' => sub {
    my $roster = Roster->new(without => ['mariadb'], start => 0);
    $roster->start(qw(redis));
    $roster->{options}{config} = {no_such_directive => 1};
    $roster->write_configuration;
    my ($status, $output) = run(join ' ', map {"'" . s/'/'\\''/gr . "'"} command_of($roster));
    is $status, 1, 'it does not start';
    like $output, qr/roster\.conf:\d+: there is no directive no_such_directive/, 'and says where the mistake is';
    my ($reload) = $unit{'roster.service'} =~ m{^ExecReload=/bin/sh -c '(.*roster -T.*)'$}m;
    ok $reload, 'a reload looks at the file first';
    $reload =~ s{^\S+}{"$build/roster -c " . $roster->config_file}e;
    ($status, $output) = run("sh -c '$reload'");
    is $status, 1, 'and fails';
    like $output, qr/roster\.conf:\d+: there is no directive no_such_directive/, 'with the same words';
    $roster->finish;
};

done_testing;
