# Roster: the stack for end-to-end tests: each Roster->new is a directory of its own with MariaDB, Redis, nginx and
# roster in it.
#
#   use Test::More;
#   use Roster;
#
#   my $roster = Roster->new(config => {privacy => 'compatible'});
#   my $admin = $roster->add_user(role => 'admin');
#   is $roster->get('/users/', $admin)->{status}, 200, 'an administrator gets the list';
#   is_problem $roster->get('/users/'), 401, 'NOT_AUTHENTICATED', 'somebody unknown does not';
#   done_testing;
#
# What it can be asked: Roster::Requests; rosterctl and roster: Roster::Commands. Tests about answers: Roster::Answers. Pictures: Roster::Pictures.
#
# `done_testing` is ours: it stops each stack first and adds a subtest for it: everything ended cleanly, no alert, no
# sanitizer's or valgrind's report, no secret in any log. Nothing listens on a network, unless `tcp` or `https` asks for
# it: any number of tests run at once.
#
# Environment: TOP_SRCDIR and TOP_BUILDDIR (make check sets both); ROSTER_TEST_VALGRIND=1 runs roster under valgrind;
# ROSTER_TEST_ACCOUNTS=1 gives each kind of process an account of its own at MariaDB (the option `accounts' does, too);
# ROSTER_TEST_KEEP=1 leaves the directories; ROSTER_TEST_PATIENCE multiplies each waiting time (3).
package Roster;
use v5.36;

use Cwd ();
use Digest::SHA ();
use File::Basename ();
use File::Path ();
use File::Temp ();
use IO::Socket::INET;
use IO::Socket::UNIX;
use JSON::PP ();
use MIME::Base64 ();
use POSIX ();
use Test::More ();

use Roster::Answers;
use Roster::Checks;
use Roster::Commands;
use Roster::Database;
use Roster::Process;
use Roster::Redis;
use Roster::Requests;

our @ISA = ('Roster::Requests', 'Roster::Commands');

our $source = $ENV{TOP_SRCDIR} // Cwd::abs_path(File::Basename::dirname(__FILE__) . '/../..');
our $build = Cwd::abs_path($ENV{TOP_BUILDDIR} // (-x './roster' ? '.' : 'build'));

# The password of every account that add_user makes, where it is told no other, and its bcrypt hash, as rows moved over
# from the original have it.
our $PASSWORD = 'correct horse battery';
our $PASSWORD_HASH = '$2b$04$abcdefghijklmnopqrstuuqREtd3VJD2QVZbuFskFSLk6eRIrQoOS';

my @SERVICES = qw(mariadb redis nginx roster);

# The pools, and all sockets of theirs.
our @POOLS = qw(api password directory status);
our @SOCKETS = qw(api api-write password password-first directory status);
my $json = JSON::PP->new->utf8->allow_nonref->canonical;
my $owner = $$;
my @stacks;

sub import ($class) {
    my $caller = caller;
    no strict 'refs';
    no warnings 'redefine';
    *{"${caller}::done_testing"} = \&done_testing;
    *{"${caller}::$_"} = \&{"Roster::Answers::$_"} for @Roster::Answers::EXPORT;
    *{"${caller}::$_"} = \&{"Roster::Process::$_"} for qw(wait_until in_background at_once);
    return;
}

# ---- The stack ----

# Starts one. Options:
#   without      names of services to leave out: [qw(redis)]
#   config       directives of roster.conf in its first part; api, password, directory, status: those of its sections.
#                undef: the directive is left out
#   environment  of roster; undef takes a variable out
#   mariadb      further arguments of MariaDB, which win over those that all tests have
#   arguments    further ones of roster
#   nginx_http, nginx_server   further lines of nginx's configuration, within http { } and server { }
#   door         1: nginx's limits at what hashes passwords are those that we ship; else they are so wide that no test
#                meets them
#   tcp, https   1: nginx listens on loopback too: see url; request(..., https => 1) needs https
#   accounts     1: each kind of process has an account of its own (database_accounts)
#   start        0: only the directory is made; call start later
sub new ($class, %options) {
    my $directory = File::Temp::tempdir('roster-XXXXXXXX',
        DIR => length($ENV{TMPDIR} // '/tmp') < 60 ? $ENV{TMPDIR} // '/tmp' : '/tmp');
    my $self = bless {
        directory => $directory,
        options => \%options,
        owner => $$,
        process => {},
        secrets => {},
        no_secrets => {'wrong password' => 1},
        allowed => [],
        source => $source,
        build => $build,
        started => {map { ($_ => 1) } @SERVICES},
    }, $class;
    push @stacks, $self;
    delete $self->{started}{$_} for @{$options{without} // []};
    mkdir "$directory/$_"
        or die "$directory/$_: $!\n"
        for qw(log nginx nginx/temporary pictures pictures/temporary mariadb redis);
    $self->{key} = join '', map { ('a' .. 'z', 'A' .. 'Z', 0 .. 9)[rand 62] } 1 .. 43;
    Roster::Database::write_file("$directory/secret.key", "$self->{key}\n");
    $self->secret($self->{key});
    $self->start if $options{start} // 1;
    return $self;
}

sub directory ($self) { return $self->{directory} }
sub key ($self) { return $self->{key} }
sub config_file ($self) { return "$self->{directory}/roster.conf" }
sub socket_path ($self, $name) { return "$self->{directory}/$name.sock" }

# Where a pool listens: as roster.conf says, else beside api, where that has been told another directory.
sub listen_path ($self, $pool) {
    my $options = $self->{options};
    return $options->{$pool}{listen} if defined $options->{$pool}{listen};
    return $self->socket_path($pool) if $pool eq 'password' || !defined $options->{api}{listen};
    return File::Basename::dirname($options->{api}{listen}) . "/$pool.sock";
}

# The address of nginx's TCP port: url, url('https').
sub url ($self, $scheme = 'http') { return "$scheme://127.0.0.1:$self->{port}{$scheme}" }

# A file system of this size in memory, at a directory of the stack's, until the end. False where that is not allowed:
# root may.
sub mount ($self, $path, $size) {
    mkdir $path;
    return 0 if $> != 0 || system("mount -t tmpfs -o size=$size,mode=0700 roster-test '$path' 2>/dev/null") != 0;
    push @{$self->{mounted}}, $path;
    return 1;
}

# Takes all room of it, but so many bytes.
sub fill ($self, $path, $left = 0) {
    my ($block, $free) = split / /, qx(stat -f -c '%S %a' $path);
    my $bytes = $block * $free - $left;
    open my $out, '>:raw', "$path/filler" or die "$path/filler: $!\n";
    my $chunk = 'x' x 65536;
    while ($bytes > 0) {
        my $wrote = syswrite $out, $chunk, $bytes < 65536 ? $bytes : 65536;
        last if !$wrote;
        $bytes -= $wrote;
    }
    close $out;
    return;
}

# Starts all services that belong to this stack, or those named, and waits until each answers.
sub start ($self, @names) {
    my %wanted = map { ($_ => 1) } @names ? @names : grep { $self->{started}{$_} } @SERVICES;
    for my $name (grep { $wanted{$_} && !$self->running($_) } @SERVICES) {
        my $start = "start_$name";
        $self->$start;
    }
    return $self;
}

# The services' process: pid, running, signal, status (Roster::Process).
sub process ($self, $name) { return $self->{process}{$name} }
sub running ($self, $name) { return $self->{process}{$name} && $self->{process}{$name}->running }

# Ends one gracefully, or all: the status that waitpid gave; undef where it had to be killed.
sub stop ($self, @names) {
    my $status = 0;
    for my $name (@names ? @names : reverse @SERVICES) {
        my $process = $self->{process}{$name} or next;
        $process->signal('CONT');
        $self->disconnect if $name eq 'mariadb' || $name eq 'redis';
        my $ended =
            $process->stop($name eq 'nginx' || $name eq 'roster' ? 'QUIT' : 'TERM', $name eq 'roster' ? 40 : 30);
        $self->{ended}{$name} = $ended;
        $status = !defined $ended ? undef : $status || $ended if defined $status;
    }
    return $status;
}

# kill -9, with everything that it has forked.
sub kill ($self, $name) {
    $self->disconnect if $name eq 'mariadb' || $name eq 'redis';
    $self->{process}{$name}->kill_all;
    return;
}

sub restart ($self, $name) { $self->stop($name); return $self->start($name) }

# Stops its clock, and lets it go on: connections stay, answers do not come.
sub pause ($self, $name) { return $self->{process}{$name}->signal('STOP') }
sub resume ($self, $name) { return $self->{process}{$name}->signal('CONT') }

# The process ids of the workers, of one pool or of all. A worker has its pool's name in its command line or its name.
sub workers ($self, $pool = undef) {
    my @pids = grep { title_of($_) !~ /\bwatcher\b|\bhousekee|\bmailer\b/ } $self->{process}{roster}->children;
    return @pids if !defined $pool;
    return grep { title_of($_) =~ /\b\Q$pool\E\b/ } @pids;
}

# The process that keeps the identity table honest; undef: there is none.
sub watcher ($self) {
    return (grep { title_of($_) =~ /\bwatcher\b/ } $self->{process}{roster}->children)[0];
}

# The process that writes what workers have noted; undef where it does not run just now.
sub housekeeper ($self) {
    return (grep { title_of($_) =~ /\bhousekee/ } $self->{process}{roster}->children)[0];
}

# The process that sends mails; undef: there is none.
sub mailer ($self) {
    return (grep { title_of($_) =~ /\bmailer\b/ } $self->{process}{roster}->children)[0];
}

# Waits until all is written that workers have noted.
sub settle ($self) {
    return Roster::Process::wait_until(10, sub { $self->status->{touches}{waiting} == 0 });
}

# The command line of a process, and its short name; empty where it is gone.
sub title_of ($pid) {
    return join ' ', map {
        -r
            ? eval { Roster::Database::slurp($_) } // ''
            : ''
    } "/proc/$pid/cmdline", "/proc/$pid/comm";
}

# Runs $code while one worker alone answers for its pool: the others are held back (SIGSTOP) meanwhile.
sub on_worker ($self, $pool, $pid, $code) {
    return held_back([grep { $_ != $pid } $self->workers($pool)], $code);
}

# Runs $code while no worker runs, nor the housekeeper, which writes what they have noted.
sub without_workers ($self, $code) {
    return held_back([$self->workers, $self->housekeeper // ()], $code);
}

# Runs $code while these processes are stopped.
sub held_back ($pids, $code) {
    CORE::kill 'STOP', @$pids;
    my $stand = sub {
        !grep { Roster::Process::state_of($_) =~ /^[^TZ]/ } @$pids;
    };
    Roster::Process::wait_until(10, $stand) or die "processes @$pids do not stop\n";
    my @result = eval { $code->() };
    my $error = $@;
    CORE::kill 'CONT', @$pids;
    die $error if $error;
    return wantarray ? @result : $result[0];
}

# What $code gives for each worker of the pool, one after the other.
sub on_each_worker ($self, $pool, $code) {
    return map { scalar $self->on_worker($pool, $_, $code) } $self->workers($pool);
}

sub start_mariadb ($self) {
    my $directory = $self->{directory};
    my $socket = $self->socket_path('mariadb');
    if (!-d "$directory/mariadb/data") {
        my ($data, $password) = Roster::Database::template(
            source => $source,
            build => $build,
            migrate => sub ($template_socket, $password_file) { $self->migrate($template_socket, $password_file) });
        system('cp', '-a', '--reflink=auto', $data, "$directory/mariadb/data") == 0 or die "cp of $data failed\n";
        Roster::Database::write_file("$directory/database.password", $password);
        $self->{database_password} = $password;
        $self->secret($password);
    }
    $self->spawn('mariadb',
        Roster::Database::server_command("$directory/mariadb/data", $socket, @{$self->{options}{mariadb} // []}));
    $self->wait_for('mariadb', sub { IO::Socket::UNIX->new(Peer => $socket) });
    $self->make_accounts if !$self->{accounts} && ($self->{options}{accounts} // $ENV{ROSTER_TEST_ACCOUNTS});
    return;
}

# Makes the accounts of database_accounts; roster.conf has to be as it will be.
sub make_accounts ($self) {
    my $directory = "$self->{directory}/accounts";
    mkdir $directory or die "$directory: $!\n";
    for my $name (qw(api password directory status watcher housekeeper mailer rosterctl)) {
        my $password = join '', map { ('a' .. 'z', 0 .. 9)[rand 36] } 1 .. 24;
        Roster::Database::write_file("$directory/$name", "$password\n");
        $self->secret($password);
    }
    $self->{accounts} = $directory;
    $self->write_configuration;
    my ($status, $sql) = $self->run_program('rosterctl', '-c', $self->config_file, 'grants', '--pools');
    die "rosterctl grants --pools failed:\n$sql" if $status;
    $self->sql($_) for grep { /\S/ } map { s/^--.*//gmr } split /;\n/, $sql;
    $self->sql(q{REVOKE ALL PRIVILEGES, GRANT OPTION FROM 'roster'@'localhost'});
    return;
}

# Applies the schema.
sub migrate ($self, $socket, $password_file) {
    $self->run_with(
        {database_socket => $socket, map { ("${_}_password_file" => $password_file) } qw(database migration)},
        'migrate', '--directory', "$source/sql");
    return;
}

# Runs rosterctl with a configuration of its own, whatever the test's roster.conf says; dies where it fails.
sub run_with ($self, $config, @command) {
    my $file = "$self->{directory}/own.conf";
    my %config = (
        user => '',
        group => '',
        error_log => 'stderr',
        access_log => 'off',
        database_name => 'roster',
        database_user => 'roster',
        secret_key_file => "$self->{directory}/secret.key",
        ($self->{accounts} ? (database_accounts => $self->{accounts}) : ()),
        %$config);
    my @lines = map { "$_ = $config{$_}\n" } sort keys %config;
    push @lines, map { "[$_]\nlisten = " . $self->socket_path($_) . "\n" } qw(api password);
    Roster::Database::write_file($file, join '', @lines);
    my ($status, $output) = $self->run_program('rosterctl', '-c', $file, @command);
    die "rosterctl @command failed:\n$output" if $status;
    return;
}

sub start_redis ($self) {
    my $directory = $self->{directory};
    my $socket = $self->socket_path('redis');
    $self->spawn(
        'redis',
        [
            Roster::Database::find_program('redis-server'),
            '--port', 0, '--unixsocket', $socket, '--unixsocketperm', 700, '--save', '',
            '--appendonly', 'no', '--dir', "$directory/redis", '--daemonize', 'no'
        ]);
    $self->wait_for('redis', sub { IO::Socket::UNIX->new(Peer => $socket) });
    return;
}

sub start_nginx ($self) {
    my $directory = $self->{directory};
    if ($self->{options}{https} && !-e "$directory/nginx/tls.key") {
        system(   "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
                . " -keyout '$directory/nginx/tls.key' -out '$directory/nginx/tls.crt' 2>>'$directory/log/openssl.log'")
            == 0
            or die "openssl failed\n";
    }
    # Another program may take the port between our look and nginx's bind: then another one is tried.
    for my $try (1 .. 10) {
        $self->write_nginx_configuration;
        unlink $self->socket_path('http'), $self->socket_path('https');
        $self->spawn(
            'nginx',
            [
                Roster::Database::find_program('nginx'), '-p', "$directory/nginx/", '-c',
                "$directory/nginx/nginx.conf", '-e', "$directory/log/nginx-error.log", '-g',
                'daemon off;'
            ]);
        last if eval {
            $self->wait_for('nginx', sub { IO::Socket::UNIX->new(Peer => $self->socket_path('http')) });
            1;
        };
        die $@ if $try == 10 || $self->log_text('nginx-error') !~ /bind\(\) to 127\.0\.0\.1/;
        $self->{port} = {};
        unlink "$directory/log/nginx-error.log";
    }
    return;
}

sub write_nginx_configuration ($self) {
    my ($directory, $options) = ("$self->{directory}/nginx", $self->{options});
    # The first line of a connection says which address the client has (PROXY protocol): tests can be any client.
    my @server = ('set_real_ip_from unix:; real_ip_header proxy_protocol;', $options->{nginx_server} // ());
    my %tls;
    if ($options->{tcp}) {
        $self->{port}{http} //= free_port();
        push @server, "listen 127.0.0.1:$self->{port}{http};";
    }
    if ($options->{https}) {
        $self->{port}{https} //= free_port();
        push @server, "listen 127.0.0.1:$self->{port}{https} ssl;";
        %tls = (
            'listen-tls' => 'unix:' . $self->socket_path('https'),
            'tls-certificate' => "$directory/tls.crt",
            'tls-key' => "$directory/tls.key");
    }
    mkdir "$directory/$_.d" for qw(http server);
    Roster::Database::write_file("$directory/http.d/test.conf", $options->{nginx_http} // '');
    Roster::Database::write_file("$directory/server.d/test.conf", join "\n", @server);
    my %values = (
        templates => "$source/nginx",
        listen => 'unix:' . $self->socket_path('http') . ' proxy_protocol',
        'log-directory' => "$self->{directory}/log",
        'static-directory' => "$source/nginx/static",
        'www-directory' => "$build/nginx/www",
        'store-directory' => "$self->{directory}/pictures",
        %tls);
    $self->run_with({}, 'nginx', 'write', $directory, '--private', map { ("--$_" => $values{$_}) } sort keys %values);
    for my $file ($options->{door} ? () : map { "$directory/roster-$_.conf" } qw(upstream locations)) {
        Roster::Database::write_file($file,
            Roster::Database::slurp($file) =~ s/\b(rate=|burst=|limit_conn \w+ )(\d+)/$1${2}00/gr);
    }
    return;
}

# A port of loopback that nobody listens on at this moment: none of those that the system gives to whoever asks for any,
# as another program would soon have it.
sub free_port () {
    for (1 .. 100) {
        my $port = 10_000 + int rand 20_000;
        return $port if IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $port, Listen => 1);
    }
    die "no free port: $!\n";
}

# Changes roster.conf, and tells nobody: call reload or restart. Options: those of new that are directives (config, and
# the pools), which replace what was given before.
sub configure ($self, %options) {
    $self->{options}{$_} = $options{$_} for keys %options;
    return $self->write_configuration;
}

# The same, but for these directives of the first part alone; undef takes one back.
sub set_directives ($self, %directives) {
    return $self->configure(config => {%{$self->{options}{config} // {}}, %directives});
}

# HUP, and waits for its end: '' where the new configuration was taken, else why not, as the log says; undef where the
# log says nothing in time.
sub reload ($self) {
    my $length = length $self->log_text;
    $self->process('roster')->signal('HUP');
    my $why;
    Roster::Process::wait_until(
        60,
        sub {
            my $said = substr $self->log_text, $length;
            $why = $said =~ /reload: done/ ? '' : $said =~ /reload: (.*; the old configuration stays)/ ? $1 : undef;
            return defined $why;
        });
    return $why;
}

# A test: the service has other directives (as set_directives), and no worker is left that has the old ones.
sub reconfigure ($self, %directives) {
    my %old = map { ($_ => 1) } $self->workers;
    $self->set_directives(%directives);
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $why = $self->reload;
    my $done = defined $why && $why eq '' && Roster::Process::wait_until(
        15,
        sub {
            my @now = $self->workers;
            @now == keys %old && !grep { $old{$_} } @now;
        });
    return Test::More::ok($done, 'another configuration: ' . join ', ', map { $_ // 'none' } %directives)
        || Test::More::diag($why // 'no end of the reload');
}

# roster.conf as this stack has it; `config` and those of the pools come last and win.
sub write_configuration ($self) {
    my ($directory, $options) = ($self->{directory}, $self->{options});
    my %config = (
        user => '',
        group => '',
        pid_file => "$directory/roster.pid",
        error_log => "$directory/log/roster-error.log",
        backup_stamp => "$directory/last-backup",
        access_log => "$directory/log/roster-access.log",
        database_socket => $self->socket_path('mariadb'),
        database_name => 'roster',
        database_user => 'roster',
        ($self->{accounts} ? (database_accounts => $self->{accounts}) : ()),
        redis_socket => $self->socket_path('redis'),
        secret_key_file => "$directory/secret.key",
        # A cheap hash: what is tested is not its cost.
        password_scrypt_n => 1024,
        password_scrypt_p => 1,
        sendmail_command => '""',    # the people of tests have addresses that a mail system of this machine would try
        identity_cache => 0,         # tests change rows by SQL, and see it at once; 46-identity-table.t has it on
        (
            -e "$directory/database.password"
            ? (map { ("${_}_password_file" => "$directory/database.password") } qw(database migration))
            : ()
        ),
        %{$options->{config} // {}});
    my %pools = (
        api => {listen => $self->socket_path('api'), workers => 2, %{$options->{api} // {}}},
        password => {listen => $self->socket_path('password'), workers => 1, %{$options->{password} // {}}},
        directory => {workers => 1, %{$options->{directory} // {}}},
        status => {workers => 1, %{$options->{status} // {}}});
    my $lines = sub ($hash) {
        join '', map { defined $hash->{$_} ? "$_ = $hash->{$_}\n" : '' } sort keys %$hash;
    };
    Roster::Database::write_file($self->config_file, join "\n", $lines->(\%config),
        map { "[$_]\n" . $lines->($pools{$_}) } @POOLS);
    return;
}

sub start_roster ($self) {
    my ($directory, $options) = ($self->{directory}, $self->{options});
    $self->write_configuration;
    my @command = ("$build/roster", '-c', $self->config_file, @{$options->{arguments} // []});
    if ($ENV{ROSTER_TEST_VALGRIND}) {
        my $suppressions = "$source/t/valgrind.supp";
        unshift @command,
            qw(valgrind --quiet --leak-check=full --errors-for-leak-kinds=definite --show-leak-kinds=definite),
            "--log-file=$directory/log/valgrind.%p", (-e $suppressions ? "--suppressions=$suppressions" : ());
    }
    my %environment = (
        ASAN_OPTIONS => join(':', "log_path=$directory/log/sanitizer", $ENV{ASAN_OPTIONS} // ()),
        UBSAN_OPTIONS =>
            join(':', "log_path=$directory/log/sanitizer", 'print_stacktrace=1', $ENV{UBSAN_OPTIONS} // ()),
        %{$options->{environment} // {}});
    # Sockets that a killed master has left behind would seem to be there already.
    unlink map { $self->socket_path($_) } @SOCKETS;
    $self->spawn('roster', \@command, environment => \%environment);
    for my $pool (@POOLS) {
        $self->wait_for('roster', sub { $self->pool_answers($pool) });
    }
    return;
}

# Whether a worker of the pool answers, whatever it says.
sub pool_answers ($self, $pool) {
    return eval { $self->fastcgi($pool, {REQUEST_URI => '/ping'}, '', timeout => 5) };
}

sub spawn ($self, $name, $command, %options) {
    my %environment = (%{$self->{environment} // {}}, %{delete $options{environment} // {}});
    $self->{process}{$name} = Roster::Process->start(
        $name, $command,
        log => "$self->{directory}/log/$name.log",
        environment => \%environment,
        %options);
    return;
}

sub wait_for ($self, $name, $condition) {
    my $process = $self->{process}{$name};
    return if Roster::Process::wait_until(20, sub { !$process->running || $condition->() }) && $process->running;
    die sprintf "%s %s; its log ends:\n%s", $name, $process->running ? 'does not answer' : 'ended at once',
        join '', map { $self->log_tail($_) } $name,
        $name eq 'nginx' ? 'nginx-error' : $name eq 'roster' ? 'roster-error' : ();
}

# ---- Its databases ----

# SQL as MariaDB's root: in list context the rows, as arrays; else the first value of the first row. `?` are replaced by
# the values.
sub sql ($self, $statement, @values) {
    my (undef, $rows) = $self->connection('sql')->run($statement, @values);
    return wantarray ? @$rows : $rows->[0] && $rows->[0][0];
}

# The same as hashes, by the columns' names.
sub rows ($self, $statement, @values) {
    my ($names, $rows) = $self->connection('sql')->run($statement, @values);
    return map { my %row; @row{@$names} = @$_; \%row } @$rows;
}

# A command of Redis: redis('SET', 'key', 'value').
sub redis ($self, @words) { return $self->connection('redis')->command(@words) }

# The ids of the service's connections to MariaDB: all, or those with a statement that matches, as SQL's REGEXP.
sub connections ($self, $pattern = undef) {
    my $which = defined $pattern ? q{command <> 'Sleep' AND info REGEXP ?} : '1 = 1';
    return map { $_->[0] } $self->sql(
        "SELECT id FROM information_schema.processlist WHERE user LIKE 'roster%' AND user <> 'roster-migrate' AND $which",
        defined $pattern ? $pattern : ());
}

# Waits until $count of them do: true, or false after the time.
sub wait_statement ($self, $pattern, $count = 1) {
    return Roster::Process::wait_until(5, sub { $self->connections($pattern) >= $count });
}

# Kills all connections of the service's, or what they do ('QUERY'): how many there were.
sub kill_connections ($self, $what = 'CONNECTION') {
    my @ids = $self->connections;
    for my $id (@ids) {
        eval { $self->sql("KILL $what $id"); 1 } || $@ =~ /^ERROR 1094 / || die $@;    # it may have ended by itself
    }
    return scalar @ids;
}

# Kept for this process; a fork makes its own.
sub connection ($self, $kind) {
    my $known = $self->{connection}{$$}{sql};
    $self->disconnect if $known && $known->{is_gone};
    return $self->{connection}{$$}{$kind} //=
        $kind eq 'sql'
        ? Roster::Database->connect($self->socket_path('mariadb'))
        : Roster::Redis->connect($self->socket_path('redis'));
}

sub disconnect ($self) {
    my $connections = delete $self->{connection}{$$} // {};
    $connections->{sql}->disconnect if $connections->{sql};
    return;
}

# ---- People and tokens ----

# A signed token. $claims: a hash, or text that stands in for the JSON. Options: alg (HS256, HS384, HS512 or none), key,
# header (hash with more fields, or text), signature (text in place of the real one).
sub jwt ($self, $claims, %options) {
    my $alg = $options{alg} // 'HS256';
    my $header = $options{header} // {};
    $header = $json->encode({typ => 'JWT', alg => $alg, %$header}) if ref $header;
    my $signed = join '.', map { MIME::Base64::encode_base64url(ref ? $json->encode($_) : $_) } $header, $claims;
    my $key = $options{key} // $self->{key};
    my %hmac = (
        HS256 => \&Digest::SHA::hmac_sha256,
        HS384 => \&Digest::SHA::hmac_sha384,
        HS512 => \&Digest::SHA::hmac_sha512,
        none => sub { '' });
    my $signature = $options{signature}
        // MIME::Base64::encode_base64url(($hmac{$alg} // $hmac{HS256})->($signed, $key));
    return $self->secret("$signed.$signature");
}

# A token for a user's id as sign-in gives it, good for an hour; further claims win, undef leaves one out.
sub token_for ($self, $id, %claims) {
    my $now = time;
    my %all = (id => $id, jti => uuid(), iat => $now, exp => $now + 3600, %claims);
    delete @all{grep { !defined $all{$_} } keys %all};
    return $self->jwt(\%all);
}

# What a token says.
sub claims_of ($token) { return $json->decode(MIME::Base64::decode_base64url((split /\./, $token)[1])) }

sub uuid () {
    my $hex = unpack 'H32', random_bytes(16);
    substr($hex, 12, 1) = '4';
    substr($hex, 16, 1) = substr '89ab', hex(substr $hex, 16, 1) % 4, 1;
    return join '-', unpack 'A8A4A4A4A12', $hex;
}

sub random_bytes ($count) {
    open my $in, '<:raw', '/dev/urandom' or die "/dev/urandom: $!\n";
    read $in, my ($bytes), $count;
    return $bytes;
}

# Puts an account into the tables, as the original has them. %columns are those of `user`; data is stored as JSON.
# `password` is hashed with bcrypt; `active` is that of `auth`; `claims` go into the token. Gives {id, email, name,
# role, password, token, jti}.
sub add_user ($self, %columns) {
    my ($password, $active, $claims) = map { delete $columns{$_} } qw(password active claims);
    my $now = time;
    my $number = ++$self->{user_count};
    my %row = (
        id => uuid(),
        name => "Person $number",
        email => "person$number\@example.org",
        role => 'user',
        profile_image_url => '/user.png',
        created_at => $now - 86400 + $number,
        updated_at => $now - 86400 + $number,
        last_active_at => $now - 86400 + $number,
        %columns);
    my @names = sort keys %row;
    $self->sql(
        sprintf('INSERT INTO `user` (%s) VALUES (%s)', join(', ', map { "`$_`" } @names), join(', ', ('?') x @names)),
        map { ref $row{$_} ? JSON::PP->new->allow_nonref->canonical->encode($row{$_}) : $row{$_} } @names);
    my $hash = defined $password ? crypt $password, '$2b$04$abcdefghijklmnopqrstuu' : $PASSWORD_HASH;
    $self->sql('INSERT INTO `auth` (id, email, password, active) VALUES (?, ?, ?, ?)',
        $row{id}, $row{email}, $hash, $active // 1);
    $self->secret($password // $PASSWORD);
    my $jti = uuid();
    return {
        (map { ($_ => $row{$_}) } qw(id email name role)),
        password => $password // $PASSWORD,
        jti => $jti,
        token => $self->token_for($row{id}, jti => $jti, %{$claims // {}})
    };
}

# Changes columns of somebody's row, past the service.
sub set_columns ($self, $user, %columns) {
    my @names = sort keys %columns;
    $self->sql(sprintf('UPDATE `user` SET %s WHERE id = ?', join ', ', map { "`$_` = ?" } @names),
        @columns{@names}, $user->{id});
    return;
}

# ---- Logs, secrets, the end ----

# Everything that a log says so far: roster-error, roster-access, roster (its standard error), nginx-error,
# nginx-access, mariadb, redis.
sub log_text ($self, $name = 'roster-error') {
    my $file = "$self->{directory}/log/$name.log";
    return -e $file ? Roster::Database::slurp($file) : '';
}

sub log_tail ($self, $name) {
    my @lines = split /^/, $self->log_text($name);
    splice @lines, 0, @lines - 20 if @lines > 20;
    return join '', map { "  $name: $_" } @lines;
}

# How often the log matches.
sub count_log ($self, $pattern, $name = 'roster-error') {
    my $count = () = $self->log_text($name) =~ /$pattern/g;
    return $count;
}

# The fields of the access log's line about this answer, as a hash. Dies where there is none in time.
sub access_line ($self, $answer) {
    my $id = $answer->{headers}{'x-request-id'} // die "the answer has no request id\n";
    my $line;
    Roster::Process::wait_until(
        10,
        sub {
            ($line) = grep { /\b\Q$id\E\b.*\n/ } split /^/, $self->log_text('roster-access');
        }
    ) or die "the access log has no line for the request $id\n";
    return $json->decode($line) if $line =~ /^\{/;
    my %field;
    $field{$1} = $2 // $3 while $line =~ /(\w+)=(?:"((?:[^"\\]|\\.)*)"|(\S*))/g;
    return \%field;
}

# Waits until the log matches: true, or false after the time.
sub wait_log ($self, $pattern, $name = 'roster-error', $seconds = 10) {
    return Roster::Process::wait_until($seconds, sub { $self->log_text($name) =~ $pattern });
}

# A line that matches is no fault at the end, though it be an alert.
sub allow_log ($self, $pattern) { push @{$self->{allowed}}, $pattern; return }

# This text must stand in no log. Short ones may do so by chance, and don't count.
sub secret ($self, $text) {
    $self->{secrets}{$text} = 1 if length $text >= 8 && !$self->{no_secrets}{$text};
    return $text;
}

# For a test that sends words as a password which stand in logs for another reason.
sub no_secret ($self, $text) {
    $self->{no_secrets}{$text} = 1;
    delete $self->{secrets}{$text};
    return;
}

# Stops the stack and adds the subtest of its end. Called by done_testing; a test may call it earlier, for each stack
# that it is through with.
sub finish ($self) {
    return if $self->{finished}++ || $self->{owner} != $$;
    Roster::Checks::run($self);
    $self->remove;
    return;
}

# For programs that are no tests: ends everything, without the checks.
sub discard ($self) {
    $self->stop;
    $self->{finished} = 1;
    $self->remove;
    return;
}

# Ends what still runs, in whatever way, and removes the directory.
sub remove ($self) {
    return if $self->{removed}++ || $self->{owner} != $$;
    $self->disconnect;
    $_->kill_all for grep { $_ } values %{$self->{process}};
    system 'umount', '-l', $_ for @{$self->{mounted} // []};
    if ($ENV{ROSTER_TEST_KEEP}) {
        Test::More::diag("kept: $self->{directory}");
    }
    else {
        File::Path::remove_tree($self->{directory}, {safe => 0});
    }
    return;
}

# Test::More's, after the end of each stack.
sub done_testing (@arguments) {
    $_->finish for @stacks;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return Test::More->builder->done_testing(@arguments);
}

# However a test ends, nothing of it stays. One that ends without the checks has not passed.
for my $signal (qw(INT TERM HUP)) {
    $SIG{$signal} = sub { $_->remove for @stacks; $SIG{$signal} = 'DEFAULT'; CORE::kill $signal, $$ };
}

END {
    if ($$ == $owner) {
        my $status = $?;
        if (grep { !$_->{finished} } @stacks) {
            Test::More::diag(
                'the end of a stack was not checked: call done_testing of Roster (use Roster after Test::More)')
                if !$status;
            $status ||= 1;
        }
        $_->remove for @stacks;
        $? = $status;    ## no critic: the exit status is what END hands on
    }
}

1;
