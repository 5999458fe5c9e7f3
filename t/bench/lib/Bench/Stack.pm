# Bench::Stack: what is measured: MariaDB, Redis, nginx and roster with people in them; at the same nginx the floor
# programs and peer.php; and a second roster without the identity table.
package Bench::Stack;
use v5.36;

use Bench::People;
use Roster;

our @FLOORS = qw(hello user list update);

# How many there are beside the people who are asked for: those who change something, and those whose activity is noted.
our ($WRITERS, $ACTIVE) = (1000, 1000);

# Calls $code with a stack, and ends the stack, whatever happens. Options: see new.
sub with ($code, %option) {
    my $stack = Bench::Stack->new(%option);
    # A worker under valgrind writes a file at its end, so the directory goes when all have ended.
    my $leave = sub ($signal) { $stack->{roster}->discard; print STDERR "ended by SIG$signal\n"; exit 1 };
    local @SIG{qw(INT TERM HUP)} = ($leave) x 3;
    my $good = eval { $code->($stack); 1 };
    my $error = $@;
    $stack->{roster}->discard;
    die $error if !$good;
    return;
}

# Options: users (who are asked for), changing (1: also those of $WRITERS and $ACTIVE), workers, pool (MariaDB's buffer
# pool, in MB), no_table (1: without the identity table).
sub new ($class, %option) {
    my $roster = Roster->new(
        start => 0,
        tcp => 1,
        api => {workers => $option{workers}},
        password => {workers => 0},
        directory => {workers => 0},
        # The hash is as by default, and not that of the tests. core_dumps lets a plain user look into the processes.
        # The activity is noted more often than by default, so that a short run shows what it costs.
        config => {
            rate_limits => 'no',
            core_dumps => 'yes',
            identity_cache => $option{no_table} ? 0 : '5s',
            last_active_interval => '1s',
            password_scrypt_n => undef,
            password_scrypt_p => undef
        },
        # As the server has it by default, but for the pool: tests do without a durable commit.
        mariadb => [
            qw(--innodb-flush-log-at-trx-commit=1 --innodb-doublewrite=1 --innodb-log-file-size=96M),
            "--innodb-buffer-pool-size=$option{pool}M"
        ]);
    my $self = bless {roster => $roster, option => \%option, php => undef, notes => []}, $class;
    $self->find_php;
    $roster->{options}{nginx_server} = $self->locations;
    $roster->start;
    Bench::People::fill($roster, 1, $option{users} + ($option{changing} ? $WRITERS + $ACTIVE : 0));
    $self->{admin} = Bench::People::add_admin($roster);
    $self->{member} = Bench::People::add_member($roster);
    $self->settle;
    return $self;
}

# Waits until the directory has everybody. Who was made within the last seconds is among its changes for so long, and then
# SQL answers.
sub settle ($self) {
    my $roster = $self->{roster};
    my $users = $roster->sql('SELECT COUNT(*) FROM user');
    my $is_settled = sub {
        $roster->get('/users/', $self->{admin});
        my $status = $roster->status;
        return $status->{directory} eq 'ready' && $status->{directory_users} == $users;
    };
    Roster::Process::wait_until(60, $is_settled) or die "the directory does not become ready\n";
    return;
}

sub roster ($self) { return $self->{roster} }
sub directory ($self) { return $self->{roster}->directory }

# Where nginx listens for roster, the floors and peer.php.
sub port ($self) { return $self->{roster}{port}{http} }

# The ids of those who change something, and of those whose activity is noted.
sub writers ($self) {
    return map { Bench::People::id($self->{option}{users} + $_) } 1 .. $WRITERS;
}

sub active ($self) {
    return map { Bench::People::id($self->{option}{users} + $WRITERS + $_) } 1 .. $ACTIVE;
}

# Lines for who reads the figures: what was left out, and why.
sub note ($self, $line) {
    push @{$self->{notes}}, $line if !grep { $_ eq $line } @{$self->{notes}};
    return;
}
sub notes ($self) { return @{$self->{notes}} }

# The paths /floor/KIND and /peer/ID. nginx does for each request what it does for those of roster.
sub locations ($self) {
    my $directory = $self->directory;
    my $include = join ' ', map { "include $directory/nginx/roster-$_.conf;" } qw(headers fastcgi);
    return join "\n        ",
        map({ "location /floor/$_ { $include fastcgi_pass unix:$directory/floor-$_.sock; }" } @FLOORS),
        "location /peer/ { $include fastcgi_param SCRIPT_FILENAME $Roster::source/t/bench/peer.php; "
        . "fastcgi_pass unix:$directory/peer.sock; }";
}

# ---- The programs beside roster ----

# Options: workers, environment, command (what runs the program, such as valgrind).
sub start_floor ($self, $kind, %option) {
    my $roster = $self->{roster};
    my $directory = $self->directory;
    my @command = (
        "$Roster::build/t/bench/floor", $kind,
        "$directory/floor-$kind.sock", $option{workers},
        $roster->socket_path('mariadb'), 'roster',
        "$directory/database.password", 'roster',
        $roster->socket_path('redis'), "$directory/secret.key");
    $roster->spawn("floor-$kind", [@{$option{command} // []}, @command], environment => $option{environment} // {});
    $roster->wait_for("floor-$kind", sub { $self->is_answered("/floor/$kind") });
    return;
}

sub stop_floor ($self, $kind) { return $self->{roster}->process("floor-$kind")->kill_all }

sub is_answered ($self, $path, $port = $self->port) {
    my $bytes = Roster::Http::compose(GET => $path, token => $self->{admin}{token});
    my $answer = eval { Roster::Http::exchange(Roster::Http::open_socket(tcp => $port), $bytes) };
    return $answer && $answer->{status} =~ /^[24]/;
}

# php-fpm with the modules that peer.php needs; a note where it isn't there.
sub find_php ($self) {
    my @programs = map { glob("$_/php-fpm*") } split(/:/, $ENV{PATH}), '/usr/sbin', '/usr/local/sbin';
    my ($php) = reverse sort grep { -x && -f } @programs;
    return $self->note('peer.php is left out: php-fpm is not installed') if !$php;
    my $modules = qx{$php -m 2>/dev/null};
    my @missing = grep { $modules !~ /^\Q$_\E$/m } 'pdo_mysql', 'redis', 'Zend OPcache';
    return $self->note("peer.php is left out: PHP lacks @missing") if @missing;
    $self->{php} = $php;
    return;
}

sub has_peer ($self) { return defined $self->{php} }

sub start_peer ($self) {
    my $roster = $self->{roster};
    my $directory = $self->directory;
    my %environment = (
        DATABASE_SOCKET => $roster->socket_path('mariadb'),
        DATABASE_USER => 'roster',
        DATABASE_PASSWORD => $roster->{database_password},
        DATABASE_NAME => 'roster',
        REDIS_SOCKET => $roster->socket_path('redis'),
        SECRET_KEY => $roster->key);
    my $owner = $> == 0 ? "user = root\ngroup = root" : '';
    Roster::Database::write_file(
        "$directory/peer.conf",
        <<~"CONF" . join '', map { qq{env[$_] = "$environment{$_}"\n} } sort keys %environment);
        [global]
        daemonize = no
        error_log = $directory/log/peer-error.log
        [peer]
        $owner
        listen = $directory/peer.sock
        pm = static
        pm.max_children = $self->{option}{workers}
        CONF
    $roster->spawn(
        'peer',
        [
            $self->{php}, '--fpm-config', "$directory/peer.conf", '-d', 'opcache.enable=1', '-d',
            'opcache.validate_timestamps=0',
            $> == 0 ? '--allow-to-run-as-root' : ()
        ]);
    $roster->wait_for('peer', sub { $self->is_answered("/peer/$self->{admin}{id}") });
    return;
}

# ---- The second roster ----
#
# It has its own workers, sockets and logs, in the directory `plain`, and a port of the same nginx. Both use the same
# MariaDB and Redis. Only the first one has the identity table, and only it gets requests that change something.

sub start_plain ($self) {
    my $roster = $self->{roster};
    my $directory = $self->directory;
    mkdir "$directory/plain" or die "$directory/plain: $!\n";
    my $text = Roster::Database::slurp($roster->config_file);
    $text =~ s/^identity_cache = .*/identity_cache = 0/m or die "identity_cache is not set\n";
    $text =~ s{^((?:pid_file|error_log|access_log|listen) = \Q$directory\E/)(?:log/)?}{$1plain/}mg;
    Roster::Database::write_file("$directory/plain.conf", $text);
    $roster->spawn('plain', ["$Roster::build/roster", '-c', "$directory/plain.conf"]);
    $self->{plain_port} = $self->add_plain_to_nginx;
    $roster->wait_for('plain', sub { $self->is_answered("/users/$self->{admin}{id}", $self->{plain_port}) });
    return;
}

sub plain_port ($self) { return $self->{plain_port} }

# A server with the same locations, before upstreams with other names and sockets. Gives its port.
sub add_plain_to_nginx ($self) {
    my $directory = $self->directory;
    my ($upstreams, $locations) =
        map { Roster::Database::slurp("$directory/nginx/roster-$_.conf") } qw(upstream locations);
    my $port = Roster::free_port();
    my @blocks = $upstreams =~ /^(upstream \w+ \{.*?^\}|map \$request_method \$roster_pool \{.*?^\})/msg;
    my $blocks = join "\n", @blocks;
    $blocks =~ s/\broster_(\w+)/plain_$1/g;
    $blocks =~ s{unix:\Q$directory\E/}{unix:$directory/plain/}g;
    $locations =~ s/^(\s*fastcgi_pass \$?)roster_/${1}plain_/mg;
    Roster::Database::write_file("$directory/nginx/plain-locations.conf", $locations);
    Roster::Database::write_file("$directory/nginx/http.d/plain.conf",
        "$blocks\nserver { listen 127.0.0.1:$port; include $directory/nginx/plain-locations.conf; }\n");
    $self->{roster}->process('nginx')->signal('HUP');
    return $port;
}

# All that run beside roster. The floor 'list' has as many workers as roster has for lists.
sub start_others ($self) {
    my %workers = (list => scalar $self->{roster}->workers('directory'));
    $self->start_floor($_, workers => $workers{$_} // $self->{option}{workers}) for @FLOORS;
    $self->start_peer if $self->has_peer;
    $self->start_plain;
    return;
}

# The processes that answer a target.
sub workers ($self, $target) {
    my $roster = $self->{roster};
    return $roster->workers($target->{pool}) if $target->{process} eq 'roster';
    my @pids = $roster->process($target->{process})->children;
    return $target->{process} ne 'plain' ? @pids : grep { Roster::title_of($_) =~ /\b\Q$target->{pool}\E\b/ } @pids;
}

# Starts roster again with one worker in each pool; its command may have others in front of it. Options: environment,
# command.
sub restart_single ($self, %option) {
    my $roster = $self->{roster};
    $roster->process('plain')->stop('QUIT') if $roster->process('plain');
    $roster->stop('roster');
    $roster->{options}{$_}{workers} = 1 for qw(api password directory);
    $roster->write_configuration;
    unlink map { $roster->socket_path($_) } @Roster::SOCKETS;
    $roster->spawn(
        'roster',
        [@{$option{command} // []}, "$Roster::build/roster", '-c', $roster->config_file],
        environment => $option{environment} // {});
    for my $pool (@Roster::POOLS) {
        $roster->wait_for('roster', sub { $roster->pool_answers($pool) });
    }
    return;
}

# The first process of everything that runs, with the kind that its processor time counts for.
sub processes ($self) {
    my $running = $self->{roster}{process};
    my %kind = (nginx => 'nginx', mariadb => 'mariadb', redis => 'redis');
    return map { ($running->{$_}->pid => $kind{$_} // 'workers') } grep { $running->{$_}->running } keys %$running;
}

1;
