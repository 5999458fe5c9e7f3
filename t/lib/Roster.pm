# Roster: the stack for end-to-end tests: each Roster->new is a directory of its own with MariaDB, Redis, nginx and roster in it.
#
#   use Test::More;
#   use Roster;
#
#   my $roster = Roster->new(config => {privacy => 'compatible'});
#   my $admin = $roster->add_user(role => 'admin');
#   my $answer = $roster->request(GET => '/users/', token => $admin->{token});
#   is $answer->{status}, 200, 'an administrator gets the list';
#   is_problem $roster->request(GET => '/users/'), 401, 'NOT_AUTHENTICATED', 'somebody unknown does not';
#   done_testing;
#
# `done_testing` is ours: it stops each stack first and adds a subtest for it: everything ended cleanly, no alert, no sanitizer's or valgrind's
# report, no secret in any log. Nothing listens on a network, unless `tcp` or `https` asks for it: any number of tests run at once.
#
# Environment: TOP_SRCDIR and TOP_BUILDDIR (make check sets both); ROSTER_TEST_VALGRIND=1 runs roster under valgrind; ROSTER_TEST_KEEP=1 leaves the
# directories; ROSTER_TEST_PATIENCE multiplies each waiting time (3).
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

use Roster::Checks;
use Roster::Database;
use Roster::Fastcgi;
use Roster::Http;
use Roster::Process;
use Roster::Redis;

our $source = $ENV{TOP_SRCDIR} // Cwd::abs_path(File::Basename::dirname(__FILE__) . '/../..');
our $build = Cwd::abs_path($ENV{TOP_BUILDDIR} // (-x './roster' ? '.' : 'build'));

# The password of every account that add_user makes, where it is told no other, and its bcrypt hash, as rows moved over from the original have it.
our $PASSWORD = 'correct horse battery';
our $PASSWORD_HASH = '$2b$04$abcdefghijklmnopqrstuuqREtd3VJD2QVZbuFskFSLk6eRIrQoOS';

my @SERVICES = qw(mariadb redis nginx roster);
my $json = JSON::PP->new->utf8->allow_nonref->canonical;
my $owner = $$;
my @stacks;

sub import ($class) {
    my $caller = caller;
    no strict 'refs';
    no warnings 'redefine';
    *{"${caller}::done_testing"} = \&done_testing;
    *{"${caller}::is_problem"} = \&is_problem;
    *{"${caller}::wait_until"} = \&Roster::Process::wait_until;
    return;
}

# ---- The stack ---------------------------------------------------------------------------------------------------------------------------

# Starts one. Options:
#   without      names of services to leave out: [qw(redis)]
#   config       directives of roster.conf in its first part; api, password: those of its sections. undef: the directive is left out
#   environment  of roster; undef takes a variable out
#   arguments    further ones of roster
#   nginx_http, nginx_server   further lines of nginx's configuration, within http { } and server { }
#   tcp, https   1: nginx listens on loopback too: see url; request(..., https => 1) needs https
#   start        0: only the directory is made; call start later
sub new ($class, %options) {
    my $directory = File::Temp::tempdir('roster-XXXXXXXX', DIR => length($ENV{TMPDIR} // '/tmp') < 60 ? $ENV{TMPDIR} // '/tmp' : '/tmp');
    my $self = bless {
        directory => $directory, options => \%options, owner => $$, process => {}, secrets => {}, no_secrets => {'wrong password' => 1}, allowed => [], source => $source, build => $build,
        started => {map { ($_ => 1) } @SERVICES},
    }, $class;
    push @stacks, $self;
    delete $self->{started}{$_} for @{$options{without} // []};
    mkdir "$directory/$_" or die "$directory/$_: $!\n"
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

# The address of nginx's TCP port: url, url('https').
sub url ($self, $scheme = 'http') { return "$scheme://127.0.0.1:$self->{port}{$scheme}" }

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
        my $ended = $process->stop($name eq 'nginx' || $name eq 'roster' ? 'QUIT' : 'TERM', $name eq 'roster' ? 40 : 30);
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

# The process ids of the workers, of one pool or of both. A worker has its pool's name in its command line or its name.
sub workers ($self, $pool = undef) {
    my @pids = $self->{process}{roster}->children;
    return @pids if !defined $pool;
    return grep {
        my $text = join ' ', map { -r ? eval { Roster::Database::slurp($_) } // '' : '' } "/proc/$_/cmdline", "/proc/$_/comm";
        $text =~ /\b\Q$pool\E\b/
    } @pids;
}

# Runs $code while one worker alone answers for its pool: the others are held back (SIGSTOP) meanwhile.
sub on_worker ($self, $pool, $pid, $code) {
    my @others = grep { $_ != $pid } $self->workers($pool);
    CORE::kill 'STOP', @others;
    my @result = eval { $code->() };
    my $error = $@;
    CORE::kill 'CONT', @others;
    die $error if $error;
    return wantarray ? @result : $result[0];
}

sub start_mariadb ($self) {
    my $directory = $self->{directory};
    my $socket = $self->socket_path('mariadb');
    if (!-d "$directory/mariadb/data") {
        my ($data, $password) = Roster::Database::template(
            source => $source, build => $build,
            migrate => sub ($template_socket, $password_file) { $self->migrate($template_socket, $password_file) });
        system('cp', '-a', '--reflink=auto', $data, "$directory/mariadb/data") == 0 or die "cp of $data failed\n";
        Roster::Database::write_file("$directory/database.password", $password);
        $self->{database_password} = $password;
        $self->secret($password);
    }
    $self->spawn('mariadb', Roster::Database::server_command("$directory/mariadb/data", $socket));
    $self->wait_for('mariadb', sub { IO::Socket::UNIX->new(Peer => $socket) });
    return;
}

# Applies the schema, with a configuration for that alone.
sub migrate ($self, $socket, $password_file) {
    my $file = "$self->{directory}/migrate.conf";
    Roster::Database::write_file($file, <<~"CONF");
        user =
        group =
        error_log = stderr
        access_log = off
        database_socket = $socket
        database_name = roster
        database_user = roster
        database_password_file = $password_file
        secret_key_file = $self->{directory}/secret.key
        CONF
    my ($status, $output) = $self->run_program('rosterctl', '-c', $file, 'migrate', '--directory', "$source/sql");
    die "rosterctl migrate failed:\n$output" if $status;
    return;
}

sub start_redis ($self) {
    my $directory = $self->{directory};
    my $socket = $self->socket_path('redis');
    $self->spawn(
        'redis', [Roster::Database::find_program('redis-server'), '--port', 0, '--unixsocket', $socket, '--unixsocketperm', 700, '--save', '',
            '--appendonly', 'no', '--dir', "$directory/redis", '--daemonize', 'no']);
    $self->wait_for('redis', sub { IO::Socket::UNIX->new(Peer => $socket) });
    return;
}

sub start_nginx ($self) {
    my $directory = $self->{directory};
    if ($self->{options}{https} && !-e "$directory/nginx/tls.key") {
        system("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
                . " -keyout '$directory/nginx/tls.key' -out '$directory/nginx/tls.crt' 2>>'$directory/log/openssl.log'") == 0 or die "openssl failed\n";
    }
    # Another program may take the port between our look and nginx's bind: then another one is tried.
    for my $try (1 .. 10) {
        $self->write_nginx_configuration;
        unlink $self->socket_path('http'), $self->socket_path('https');
        $self->spawn(
            'nginx', [Roster::Database::find_program('nginx'), '-p', "$directory/nginx/", '-c', "$directory/nginx/nginx.conf",
                '-e', "$directory/log/nginx-error.log", '-g', 'daemon off;']);
        last if eval { $self->wait_for('nginx', sub { IO::Socket::UNIX->new(Peer => $self->socket_path('http')) }); 1 };
        die $@ if $try == 10 || $self->log_text('nginx-error') !~ /bind\(\) to 127\.0\.0\.1/;
        $self->{port} = {};
        unlink "$directory/log/nginx-error.log";
    }
    return;
}

sub write_nginx_configuration ($self) {
    my ($directory, $options) = ($self->{directory}, $self->{options});
    # The first line of a connection says which address the client has (PROXY protocol), so that tests can be any client.
    my @listen = ('listen unix:' . $self->socket_path('http') . ' proxy_protocol;', 'set_real_ip_from unix:;', 'real_ip_header proxy_protocol;');
    if ($options->{tcp}) {
        $self->{port}{http} //= free_port();
        push @listen, "listen 127.0.0.1:$self->{port}{http};";
    }
    if ($options->{https}) {
        $self->{port}{https} //= free_port();
        push @listen, "listen 127.0.0.1:$self->{port}{https} ssl;", 'listen unix:' . $self->socket_path('https') . ' ssl;',
            "ssl_certificate $directory/nginx/tls.crt;", "ssl_certificate_key $directory/nginx/tls.key;";
    }
    my %word = (
        MAIN => $> == 0 ? 'user root;' : '', WORKER_PROCESSES => 1, DIRECTORY => "$directory/nginx", LOG_DIRECTORY => "$directory/log",
        NGINX_DIRECTORY => "$directory/nginx", STATIC_DIRECTORY => "$source/nginx/static", STORE_DIRECTORY => "$directory/pictures",
        API_SOCKET => $self->socket_path('api'), PASSWORD_SOCKET => $self->socket_path('password'), LISTEN => join("\n        ", @listen),
        HTTP => $options->{nginx_http} // '', SERVER => $options->{nginx_server} // '');
    for my $file (qw(private.conf roster-upstream.conf roster-headers.conf roster-fastcgi.conf roster-locations.conf)) {
        my $text = Roster::Database::slurp("$source/nginx/$file");
        $text =~ s/\@([A-Z_]+)\@/$word{$1} \/\/ die "$file: no word for \@$1\@\n"/ge;
        Roster::Database::write_file("$directory/nginx/" . ($file eq 'private.conf' ? 'nginx.conf' : $file), $text);
    }
    return;
}

# A port of loopback that nobody listens on at this moment.
sub free_port () {
    my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Proto => 'tcp', Listen => 1) // die "no free port: $!\n";
    return $socket->sockport;
}

# roster.conf as this stack has it; `config`, `api` and `password` of new come last and win. Change $roster->{options}{config}, call this and send HUP to reload.
sub write_configuration ($self) {
    my ($directory, $options) = ($self->{directory}, $self->{options});
    my %config = (
        user => '', group => '', pid_file => "$directory/roster.pid", error_log => "$directory/log/roster-error.log",
        access_log => "$directory/log/roster-access.log", database_socket => $self->socket_path('mariadb'), database_name => 'roster',
        database_user => 'roster', redis_socket => $self->socket_path('redis'), secret_key_file => "$directory/secret.key",
        # A cheap hash: what is tested is not its cost.
        password_scrypt_n => 1024, password_scrypt_p => 1,
        (-e "$directory/database.password" ? (database_password_file => "$directory/database.password") : ()),
        %{$options->{config} // {}});
    my %pools = (
        api => {listen => $self->socket_path('api'), workers => 2, %{$options->{api} // {}}},
        password => {listen => $self->socket_path('password'), workers => 1, %{$options->{password} // {}}});
    my $lines = sub ($hash) { join '', map { defined $hash->{$_} ? "$_ = $hash->{$_}\n" : '' } sort keys %$hash };
    Roster::Database::write_file($self->config_file, $lines->(\%config) . "\n[api]\n" . $lines->($pools{api}) . "\n[password]\n" . $lines->($pools{password}));
    return;
}

sub start_roster ($self) {
    my ($directory, $options) = ($self->{directory}, $self->{options});
    $self->write_configuration;
    my @command = ("$build/roster", '-c', $self->config_file, @{$options->{arguments} // []});
    if ($ENV{ROSTER_TEST_VALGRIND}) {
        my $suppressions = "$source/t/valgrind.supp";
        unshift @command, qw(valgrind --quiet --leak-check=full --errors-for-leak-kinds=definite --show-leak-kinds=definite),
            "--log-file=$directory/log/valgrind.%p", (-e $suppressions ? "--suppressions=$suppressions" : ());
    }
    my %environment = (
        ASAN_OPTIONS => join(':', "log_path=$directory/log/sanitizer", $ENV{ASAN_OPTIONS} // ()),
        UBSAN_OPTIONS => join(':', "log_path=$directory/log/sanitizer", 'print_stacktrace=1', $ENV{UBSAN_OPTIONS} // ()),
        %{$options->{environment} // {}});
    # Sockets that a killed master has left behind would seem to be there already.
    unlink map { $self->socket_path($_) } qw(api password);
    $self->spawn('roster', \@command, environment => \%environment);
    for my $pool (qw(api password)) {
        $self->wait_for('roster', sub { $self->pool_answers($pool) });
    }
    return;
}

# Whether a worker of the pool answers, whatever it says.
sub pool_answers ($self, $pool) {
    return eval { $self->fastcgi($pool, {REQUEST_URI => '/ping'}, '', timeout => 5) };
}

sub spawn ($self, $name, $command, %options) {
    $self->{process}{$name} = Roster::Process->start($name, $command, log => "$self->{directory}/log/$name.log", %options);
    return;
}

sub wait_for ($self, $name, $condition) {
    my $process = $self->{process}{$name};
    return if Roster::Process::wait_until(20, sub { !$process->running || $condition->() }) && $process->running;
    die sprintf "%s %s; its log ends:\n%s", $name, $process->running ? 'does not answer' : 'ended at once',
        join '', map { $self->log_tail($_) } $name, $name eq 'nginx' ? 'nginx-error' : $name eq 'roster' ? 'roster-error' : ();
}

# Runs a program of the build directory to its end: its exit status (signal in the low bits, as $?) and what it wrote, both channels together.
sub run_program ($self, $program, @arguments) {
    my %options = ref $arguments[-1] ? %{pop @arguments} : ();
    my $pid = open my $out, '-|';
    die "fork: $!\n" if !defined $pid;
    if (!$pid) {
        open STDERR, '>&', \*STDOUT;
        if (defined $options{input}) {
            my $file = File::Temp->new;
            print $file $options{input};
            $file->flush;
            open STDIN, '<', $file->filename;
        }
        else {
            open STDIN, '<', '/dev/null';
        }
        no warnings 'exec';
        exec {"$build/$program"} $program, @arguments;
        print "$build/$program: $!\n";
        POSIX::_exit(127);
    }
    local $/ = undef;
    my $text = readline($out) // '';
    close $out;
    return ($?, $text);
}

# rosterctl with this stack's configuration; the last argument may be {input => TEXT}.
sub rosterctl ($self, @arguments) { return $self->run_program('rosterctl', '-c', $self->config_file, @arguments) }

# ---- Talking to it -----------------------------------------------------------------------------------------------------------------------

# A request through nginx; the answer, or undef where the connection was closed without one. Options: those of Roster::Http::compose (headers,
# token, cookie, json, body, chunked, host, http), client (the address that it comes from: 127.0.0.1), https, tcp, timeout, finish.
sub request ($self, $method, $target, %options) {
    $self->note_secrets_of_request(\%options);
    my $answer = $self->raw(Roster::Http::compose($method, $target, %options), %options, method => $method);
    $self->note_secrets_of_answer($answer) if $answer && ref $answer->{json} eq 'HASH';
    return $answer;
}

# Exactly these bytes through nginx.
sub raw ($self, $bytes, %options) {
    my $socket = $self->open_connection(%options);
    my $answer = Roster::Http::exchange($socket, $bytes, %options);
    Roster::Http::close_socket($socket);
    return $answer;
}

# A connection to nginx, for tests that do strange things with it.
sub open_connection ($self, %options) {
    return Roster::Http::open_socket(unix_tls => $self->socket_path('https')) if $options{https};
    return Roster::Http::open_socket(tcp => $self->{port}{http}) if $options{tcp};
    my $socket = Roster::Http::open_socket(unix => $self->socket_path('http'));
    my $client = $options{client} // '127.0.0.1';
    my ($family, $server) = $client =~ /:/ ? ('TCP6', '::1') : ('TCP4', '127.0.0.1');
    syswrite $socket, "PROXY $family $client $server 50000 80\r\n";
    return $socket;
}

# Past nginx: FastCGI to a worker of this pool.
sub fastcgi ($self, $pool, $params, $body = '', %options) {
    return Roster::Fastcgi::request($self->{options}{$pool}{listen} // $self->socket_path($pool), $params, $body, %options);
}

# SQL as MariaDB's root: in list context the rows, as arrays; else the first value of the first row. `?` are replaced by the values.
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

# Kept for this process; a fork makes its own.
sub connection ($self, $kind) {
    return $self->{connection}{$$}{$kind} //=
        $kind eq 'sql' ? Roster::Database->connect($self->socket_path('mariadb')) : Roster::Redis->connect($self->socket_path('redis'));
}

sub disconnect ($self) {
    my $connections = delete $self->{connection}{$$} // {};
    $connections->{sql}->disconnect if $connections->{sql};
    return;
}

# ---- People and tokens -------------------------------------------------------------------------------------------------------------------

# A signed token. $claims: a hash, or text that stands in for the JSON. Options: alg (HS256, HS384, HS512 or none), key, header (hash with
# more fields, or text), signature (text in place of the real one).
sub jwt ($self, $claims, %options) {
    my $alg = $options{alg} // 'HS256';
    my $header = $options{header} // {};
    $header = $json->encode({typ => 'JWT', alg => $alg, %$header}) if ref $header;
    my $signed = join '.', map { MIME::Base64::encode_base64url(ref ? $json->encode($_) : $_) } $header, $claims;
    my $key = $options{key} // $self->{key};
    my %hmac = (HS256 => \&Digest::SHA::hmac_sha256, HS384 => \&Digest::SHA::hmac_sha384, HS512 => \&Digest::SHA::hmac_sha512, none => sub { '' });
    my $signature = $options{signature} // MIME::Base64::encode_base64url(($hmac{$alg} // $hmac{HS256})->($signed, $key));
    return $self->secret("$signed.$signature");
}

# A token for a user's id as sign-in gives it, good for an hour; further claims win, undef leaves one out.
sub token_for ($self, $id, %claims) {
    my $now = time;
    my %all = (id => $id, jti => uuid(), iat => $now, exp => $now + 3600, %claims);
    delete @all{grep { !defined $all{$_} } keys %all};
    return $self->jwt(\%all);
}

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

# Puts an account into the tables, as the original has them. %columns are those of `user`; data is stored as JSON. `password` is hashed with bcrypt;
# `active` is that of `auth`; `claims` go into the token. Gives {id, email, name, role, password, token, jti}.
sub add_user ($self, %columns) {
    my ($password, $active, $claims) = map { delete $columns{$_} } qw(password active claims);
    my $now = time;
    my $number = ++$self->{user_count};
    my %row = (
        id => uuid(), name => "Person $number", email => "person$number\@example.org", role => 'user', profile_image_url => '/user.png',
        created_at => $now - 86400 + $number, updated_at => $now - 86400 + $number, last_active_at => $now - 86400 + $number, %columns);
    my @names = sort keys %row;
    $self->sql(sprintf('INSERT INTO `user` (%s) VALUES (%s)', join(', ', map {"`$_`"} @names), join(', ', ('?') x @names)),
        map { ref $row{$_} ? JSON::PP->new->allow_nonref->canonical->encode($row{$_}) : $row{$_} } @names);
    my $hash = defined $password ? crypt $password, '$2b$04$abcdefghijklmnopqrstuu' : $PASSWORD_HASH;
    $self->sql('INSERT INTO `auth` (id, email, password, active) VALUES (?, ?, ?, ?)', $row{id}, $row{email}, $hash, $active // 1);
    $self->secret($password // $PASSWORD);
    my $jti = uuid();
    return {(map { ($_ => $row{$_}) } qw(id email name role)), password => $password // $PASSWORD, jti => $jti,
        token => $self->token_for($row{id}, jti => $jti, %{$claims // {}})};
}

# ---- Logs, secrets, the end --------------------------------------------------------------------------------------------------------------

# Everything that a log says so far: roster-error, roster-access, roster (its standard error), nginx-error, nginx-access, mariadb, redis.
sub log_text ($self, $name = 'roster-error') {
    my $file = "$self->{directory}/log/$name.log";
    return -e $file ? Roster::Database::slurp($file) : '';
}

sub log_tail ($self, $name) {
    my @lines = split /^/, $self->log_text($name);
    splice @lines, 0, @lines - 20 if @lines > 20;
    return join '', map {"  $name: $_"} @lines;
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

sub note_secrets_of_request ($self, $options) {
    my $body = $options->{json};
    if (ref $body eq 'HASH') {
        $self->secret($body->{$_}) for grep { /password/i && defined $body->{$_} && !ref $body->{$_} } keys %$body;
    }
    $self->secret($_) for grep { defined && length >= 16 } @$options{qw(token cookie)};
    return;
}

sub note_secrets_of_answer ($self, $answer) {
    for my $name (qw(token api_key)) {
        my $value = $answer->{json}{$name};
        $self->secret($value) if defined $value && !ref $value && $value !~ /…|\*|\.\.\./;
    }
    return;
}

# Stops the stack and adds the subtest of its end. Called by done_testing; a test may call it earlier, for each stack that it is through with.
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

# A test: the answer is this error, in the form that all errors have.
sub is_problem ($answer, $status, $code, $name) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $data = $answer && $answer->{json};
    my $good = $answer && $answer->{status} == $status && ref $data eq 'HASH' && ($data->{code} // '') eq $code
        && join(' ', sort keys %$data) eq 'code detail' && (ref $data->{detail} eq 'ARRAY' || length $data->{detail})
        && $answer->{headers}{'content-type'} =~ m{^application/json\b};
    return Test::More::ok($good, $name) || Test::More::diag(
        $answer ? "got $answer->{status} $answer->{body}\nexpected $status $code, as JSON" : 'the connection was closed without an answer');
}

# However a test ends, nothing of it stays. One that ends without the checks has not passed.
for my $signal (qw(INT TERM HUP)) {
    $SIG{$signal} = sub { $_->remove for @stacks; $SIG{$signal} = 'DEFAULT'; CORE::kill $signal, $$ };
}

END {
    if ($$ == $owner) {
        my $status = $?;
        if (grep { !$_->{finished} } @stacks) {
            Test::More::diag('the end of a stack was not checked: call done_testing of Roster (use Roster after Test::More)') if !$status;
            $status ||= 1;
        }
        $_->remove for @stacks;
        $? = $status; ## no critic: the exit status is what END hands on
    }
}

1;
