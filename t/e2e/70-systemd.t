# What systemd does with Roster: the units as systemd-analyze judges them, and the service's command line as systemd
# would run it, with its sockets, its credentials and its notifications; the test plays systemd. That the sandbox lets
# the service work is shown by debian/tests/site, which needs a systemd.
use v5.36;

use Test::More;
use Roster;

use Fcntl ();
use File::Copy ();
use IO::Select;
use IO::Socket::UNIX;
use POSIX ();
use Socket ();
use Time::HiRes ();

my ($source, $build) = ($Roster::source, $Roster::build);
my @filled_in = qw(roster.service roster.socket roster-mail.service roster-pictures.service);
my %unit = map { ($_ => Roster::Database::slurp("$build/conf/systemd/$_")) } @filled_in;
my $analyze = (grep { -x } map { "$_/systemd-analyze" } split /:/, $ENV{PATH})[0];

sub run ($command) {
    my $output = `$command 2>&1`;
    return ($? >> 8, $output);
}

# The default of a directive: of a pool, where it is given.
my $table = Roster::Database::slurp("$source/src/tables/directives.def");

sub default_of ($name, $pool = undef) {
    return (
        $table =~ (
            $pool
            ? qr/^POOL_DEFAULT\(\U$pool\E, $name, "(.*)"\)/m
            : qr/^DIRECTIVE\($name, \w+, \w+, "(.*?)"/m)
    )[0];
}

# ---- The files ----

subtest 'the units go with each other and with the defaults' => sub {
    unlike join('', values %unit), qr/\@\w+\@/, 'all words are filled in';
    is_deeply [$unit{'roster.socket'} =~ /^ListenStream=(.*)$/mg], [
        grep { length } map {
            my $pool = $_;
            map { default_of($_, $pool) } qw(listen listen_second)
        } @Roster::POOLS
        ],
        'sockets';
    # But the one that rosterctl migrate alone reads, as root: the daemon is to have no part in it.
    is_deeply [sort $unit{'roster.service'} =~ /^LoadCredential=(\w+):/mg],
        [
        sort 'database_accounts',
        grep { $_ ne 'migration_password' }
        map { s/_file$//r } $table =~ /^DIRECTIVE\((\w+), \w+, SECRET_PATH/mg
        ],
        'each secret is a credential';
    like $unit{'roster.service'}, qr/^LoadCredential=secret_key:.*\/roster\/secret\.key$/m, 'the key';
    my ($stop) = $unit{'roster.service'} =~ /^TimeoutStopSec=(\d+)s$/m;
    my ($shutdown) = default_of('shutdown_timeout') =~ /^(\d+)s$/;
    cmp_ok $stop, '>', $shutdown, 'a stop may take longer than shutdown_timeout';
    my $tmpfiles = Roster::Database::slurp("$build/conf/tmpfiles.d/roster.conf");
    my $logrotate = Roster::Database::slurp("$source/conf/logrotate/roster");
    for my $file (map { default_of($_) } qw(error_log access_log pid_file)) {
        my ($directory, $name) = $file =~ m{^(.*)/(.*)$};
        like $tmpfiles, qr/^d \Q$directory\E /m, "$directory is made";
        # In the directory of a pid file, root would be led elsewhere: it is root's, and the unit's daemon needs none.
        my $may_write = $name =~ /\.log$/;
        like $tmpfiles, $may_write ? qr/^d \Q$directory\E 2750 roster adm /m : qr/^d \Q$directory\E 0755 root root /m,
            '... as whose it should be';
        is scalar($unit{'roster.service'} =~ /^ReadWritePaths=.*-\Q$directory\E\b/m) || 0, $may_write ? 1 : 0,
            '... and the service may write there, or not';
        like $logrotate, qr/^\Q$directory\E\/\*\.log \{/m, "$file is rotated" if $name =~ /\.log$/;
    }
    my ($store) = qx('$build/rosterctl' -c '$build/conf/roster.conf' nginx snippet --templates '$source/nginx') =~
        /^\s*fastcgi_store (\S+)\$uri;$/m;
    ok defined $store, 'nginx is told where' or return;
    like $tmpfiles, qr/^d \Q$store\E\/(?:pictures|temporary) /m, 'pictures are kept where nginx is told to';
    my $pictures = $unit{'roster-pictures.service'};
    like $pictures, qr/^ExecStart=\S*find \Q$store\E .*\nExecStart=\S+\/rosterctl --quiet pictures clean$/m,
        'and removed there';
    like $pictures, qr/^ReadWritePaths=\Q$store\E$/m, 'where it may write';
    my ($group) = $pictures =~ /^SupplementaryGroups=(\S+)$/m;
    like $tmpfiles, qr/^d \Q$store\E\/$_ 0770 \S+ $group -$/m, "as a member of the group of $_"
        for qw(pictures temporary);
    like $tmpfiles, qr/^d \Q$store\E 0750 \S+ $group -$/m, 'which comes there';
    is_deeply [$pictures =~ /^((?:Load|Set)Credential=.*)$/mg],
        [$unit{'roster.service'} =~ /^((?:Load|Set)Credential=.*)$/mg], 'with the secrets of the service';
    like $_, qr/^LimitCORE=0$/m, 'no core file holds a secret'
        for $pictures, @unit{qw(roster.service roster-mail.service)};
    my $mail = $unit{'roster-mail.service'};
    like $unit{'roster.service'}, qr/^ExecStart=\S+\/roster -M$/m, 'the service leaves mails';
    like $mail, qr/^ExecStart=\S+\/roster -m$/m, '... to a unit of its own';
    like $unit{'roster.service'}, qr/^$_=roster-mail\.service$/m, "... $_=" for qw(Wants PropagatesReloadTo);
    like $mail, qr/^ExecReload=.*\n(?:.*\n)*Restart=always$/m, '... that a reload starts again';
    like $mail, qr/^StartLimitIntervalSec=0$/m, '... however many there are';
    like $mail, qr/^After=(?:.* )?roster\.service(?: |$)/m, '... behind the migrations, which the service applies';
    is_deeply [$mail =~ /^LoadCredential=(\w+):/mg], [qw(database_password database_accounts_mailer)],
        '... which has no key';
    # Each of these implies NoNewPrivileges= for a unit with User=: systemd.exec(5).
    unlike $mail,
        qr/^(?:NoNewPrivileges|PrivateDevices|PrivateUsers|ProtectClock|ProtectHostname|ProtectKernel\w+|DynamicUser|
        Restrict\w+|SystemCall\w+|LockPersonality|MemoryDenyWriteExecute|IPAddressDeny)=/mx,
        '... and may execute a program with other privileges';
    my @capabilities = map { split / / } $mail =~ /^CapabilityBoundingSet=(\S.*)$/mg;
    is_deeply [grep { !/^CAP_[A-Z_]+$/ || /_(?:ADMIN|BPF|MODULE|PTRACE|RAWIO|SETFCAP|SETPCAP)$/ } @capabilities], [],
        '... that can do nothing to the kernel';
    my %has = map { ($_ => 1) } @capabilities;
    ok $has{CAP_SETUID} && $has{CAP_SETGID}, '... but become whom it has to';
    like $mail, qr/^ProtectHome=read-only$/m, '... and go to the home directory of whom a mail is for, as Exim does';
    like Roster::Database::slurp("$source/conf/sysusers.d/roster.conf"), qr/^u \Q@{[default_of('user')]}\E /m,
        'the user';
};

SKIP: {
    skip 'systemd-analyze is not there: install systemd', 2 if !$analyze;
    my $directory = File::Temp::tempdir(CLEANUP => 1);
    File::Copy::copy($_, $directory)
        or die "$_: $!\n"
        for (map { "$build/conf/systemd/$_" } @filled_in), "$source/conf/systemd/roster-pictures.timer";
    # Where the build would be installed, nothing is yet.
    for my $file (glob "$directory/*.service") {
        my $text = Roster::Database::slurp($file) =~
            s{^(ExecStart(?:Pre)?=-?\+?)\S*/s?bin/(roster|rosterctl)\b}{$1$build/$2}mgr;
        Roster::Database::write_file($file, $text);
        chmod 0644, $file;
    }
    subtest 'systemd-analyze verify' => sub {
        for my $unit (@filled_in, 'roster-pictures.timer') {
            my ($status, $output) = run(
                "cd $directory && SYSTEMD_LOG_LEVEL=warning $analyze verify --man=no --recursive-errors=no ./$unit");
            is $status, 0, $unit or diag $output;
            is $output, '', 'nothing to complain about';
        }
    };
    subtest 'systemd-analyze security' => sub {
        for my $unit (grep { /service$/ && !/mail/ } @filled_in) {
            my ($status, $output) =
                run("cd $directory && $analyze security --no-pager --offline=true --threshold=20 ./$unit");
            my ($level) = $output =~ /Overall exposure level for \S+ ([\d.]+)/;
            is $status, 0, "$unit: " . ($level // 'no') . ' is at most 2.0' or diag $output;
        }
    };
}

# ---- The service's command line ----

# ExecStartPre= and ExecStart= as systemd runs them, for programs and files of this build.
sub command_of ($roster) {
    my ($before) = $unit{'roster.service'} =~ /^ExecStartPre=-\+(.*)$/m or die "ExecStartPre= has another form\n";
    my ($line) = $unit{'roster.service'} =~ /^ExecStart=(.*)$/m;
    my $config = $roster->config_file;
    $before =~ s{^\S+/rosterctl(.*?) migrate$}{$build/rosterctl -c $config$1 migrate --directory $source/sql}
        or die "no migration in $before\n";
    $line =~ s{^\S+/roster(?= |$)}{$build/roster -c $config} or die "no daemon in $line\n";
    return ('/bin/sh', '-c', "$before; exec $line");
}

# ExecReload= of roster-mail.service for process $pid, as systemd runs it.
sub mail_reload ($roster, $pid) {
    my ($line) = $unit{'roster-mail.service'} =~ m{^ExecReload=(/bin/sh -c '.*')$}m
        or die "ExecReload= has another form\n";
    my $config = $roster->config_file;
    $line =~ s{[^\s']+/roster(?= )}{$build/roster -c $config} or die "no check in $line\n";
    return "MAINPID=$pid $line";
}

# Passes the sockets as descriptors from 3 on, in the order of roster.socket.
my $WRAPPER =
      'use POSIX; my $n = shift; my @s = splice @ARGV, 0, $n; for (@s) { $_ = POSIX::dup($_) while $_ < 3 + $n }'
    . 'POSIX::dup2($s[$_], 3 + $_) for 0 .. $#s; $^F = 255; $ENV{LISTEN_PID} = $$; $ENV{LISTEN_FDS} = $n; '
    . 'exec {$ARGV[0]} @ARGV or die';

sub as_systemd ($roster, $has_key = 1) {
    my $directory = $roster->{directory};
    my $credentials = "$directory/credentials";
    mkdir $credentials;
    # As LoadCredential= does it, and SetCredential= where there is no file.
    if ($has_key) { File::Copy::copy("$directory/secret.key", "$credentials/secret_key") or die "secret.key: $!\n" }
    if (-e "$directory/database.password") {
        File::Copy::copy("$directory/database.password", "$credentials/database_password")
            or die "database.password: $!\n";
    }
    my %default = $unit{'roster.service'} =~ /^SetCredential=(\w+):(.*)$/mg;
    for my $name (sort keys %default) {
        Roster::Database::write_file("$credentials/$name", $default{$name} =~ s/\\n/\n/gr) if !-e "$credentials/$name";
    }
    chmod 0400, glob "$credentials/*";
    $roster->configure(config => {secret_key_file => undef, database_password_file => undef});

    my @sockets = map {
        my $socket =
            IO::Socket::UNIX->new(Type => Socket::SOCK_STREAM(), Local => $roster->socket_path($_), Listen => 1024)
            // die "socket: $!\n";
        fcntl $socket, Fcntl::F_SETFD(), 0;
        $socket;
    } @Roster::SOCKETS;
    my $notify = IO::Socket::UNIX->new(Type => Socket::SOCK_DGRAM(), Local => "$directory/notify.sock")
        // die "socket: $!\n";
    $roster->spawn(
        'roster',
        [$^X, '-e', $WRAPPER, scalar @sockets, (map { fileno $_ } @sockets), command_of($roster)],
        environment => {
            NOTIFY_SOCKET => "$directory/notify.sock",
            WATCHDOG_USEC => 200_000,
            WATCHDOG_PID => undef,
            CREDENTIALS_DIRECTORY => $credentials
        });
    my $messages = '';
    my $wait = sub ($pattern) {
        return wait_until(
            20,
            sub {
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
    is $roster->get('/users/', $admin)->{status}, 200, "the key and the database's password came as credentials";
    is $roster->sign_in($admin)->{status}, 200, 'the other pools answer';
    is $roster->stop('roster'), 0, 'QUIT ends it';
    ok $wait->(qr/^STOPPING=1$/m), 'STOPPING';
    ok -S $roster->socket_path($_), "$_.sock stays" for @Roster::SOCKETS;
    $roster->finish;
};

subtest 'MariaDB is away at the start' => sub {
    my $roster = Roster->new(without => ['mariadb'], start => 0);
    $roster->allow_log(qr/MariaDB/);
    $roster->start(qw(redis nginx));
    my ($sockets, $wait) = as_systemd($roster);
    ok $wait->(qr/^READY=1$/m), 'it starts all the same' or diag $roster->log_tail('roster');
    is_problem $roster->get('/ready'), 503, 'UNAVAILABLE', 'and says that it is not ready';
    my ($state, $said) = $roster->rosterctl('check');
    is $state >> 8, 2, 'rosterctl check says that it is critical, where no account was ever counted';
    like $said, qr/^ROSTER CRITICAL - MariaDB: away /, '... and why';
    $roster->finish;
};

subtest 'there is no key' => sub {
    plan skip_all => 'this machine has a key of its own' if glob '{/etc,/usr/local/etc}/roster/secret.key';
    my $roster = Roster->new(without => ['mariadb'], start => 0);
    $roster->start(qw(redis nginx));
    my ($sockets, $wait) = as_systemd($roster, 0);
    ok $wait->(qr/^STATUS=can't start, and answers 503: .*secret\.key \(secret_key_file\): can't be read/m),
        'systemd does not keep it from saying so';
    is_problem $roster->get($_), 503, 'UNAVAILABLE', "$_ is 503 at once" for '/users/', '/status', '/auths/';
    ok $roster->running('roster'), '... while it runs';
    ok wait_until(20, sub { !$roster->running('roster') }), 'then it ends, for systemd to start it again';
    is $roster->process('roster')->status >> 8, 1, 'with status 1';
    $roster->finish;
};

subtest 'a mistake in roster.conf' => sub {
    my $roster = Roster->new(without => ['mariadb'], start => 0);
    $roster->start(qw(redis));
    $roster->configure(config => {no_such_directive => 1});
    my ($status, $output) = run(join ' ', map { "'" . s/'/'\\''/gr . "'" } command_of($roster));
    is $status, 1, 'it does not start';
    like $output, qr/roster\.conf:\d+: there is no directive no_such_directive/, 'and says where the mistake is';
    my ($reload) = $unit{'roster.service'} =~ m{^ExecReload=/bin/sh -c 'exec \S+/rosterctl (.*)'$}m
        or return fail 'a reload is one of rosterctl';
    ($status, $output) = run("$build/rosterctl -c " . $roster->config_file . " $reload");
    is $status, 4, 'a reload fails, too';
    like $output, qr/roster\.conf:\d+: there is no directive no_such_directive/, 'with the same words';

    local $SIG{QUIT} = 'DEFAULT';    # a shell that runs the tests in the background ignores it
    my $ended = fork // die "fork: $!\n";
    exec 'sleep', '60' or POSIX::_exit(1) if !$ended;
    ($status, $output) = run(mail_reload($roster, $ended));
    isnt $status, 0, 'a reload of roster-mail.service fails';
    like $output, qr/roster\.conf:\d+: there is no directive no_such_directive/, '... with the same words';
    ok kill(0, $ended), '... and sends nobody away';
    $roster->set_directives(no_such_directive => undef);
    ($status, $output) = run(mail_reload($roster, $ended));
    is $status, 0, 'one with the mistake mended does not' or diag $output;
    waitpid $ended, 0;
    is $? & 127, POSIX::SIGQUIT, '... and lets it end behind the mail at hand';
    $roster->finish;
};

done_testing;
