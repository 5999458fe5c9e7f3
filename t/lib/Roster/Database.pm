# Roster::Database: MariaDB for tests: a data directory with the schema, made once per build directory and copied for
# each test; and SQL through a client that stays connected.
package Roster::Database;
use v5.36;

use Cwd ();
use Digest::SHA ();
use Encode ();
use Fcntl qw(:flock);
use File::Basename ();
use File::Path ();
use File::Temp ();
use IO::Socket::UNIX;
use IPC::Open2 ();

use Roster::Process;

# The program that starts a server, over a data directory that it makes.
my $mariadb = Cwd::abs_path(File::Basename::dirname(__FILE__) . '/../mariadb');

sub find_program (@names) {
    for my $name (@names) {
        my ($path) = grep { -x } map { "$_/$name" } split(/:/, $ENV{PATH}), '/usr/sbin', '/usr/local/sbin';
        return $path if $path;
    }
    die "$names[0] was not found: install mariadb-server-core, mariadb-client-core, redis-server and nginx "
        . "(./quickstart check does)\n";
}

# The command of a server over $data.
sub server_command ($data, $socket, @more) {
    find_program('mariadbd', 'mysqld');
    return [$mariadb, $data, $socket, @more];
}

sub slurp ($file) {
    open my $in, '<:raw', $file or die "$file: $!\n";
    local $/ = undef;
    return scalar <$in>;
}

# template(source => DIR, build => DIR, migrate => sub ($socket, $password_file) {...}) makes the data directory where
# it is not there yet, and gives its path and the password of the account `roster`. What it is made from is in its name,
# so a changed schema makes another one.
sub template (%options) {
    my $digest = Digest::SHA->new(256);
    $digest->add(slurp($_)) for __FILE__, $mariadb, sort glob "$options{source}/sql/*.sql";
    my $server = find_program('mariadbd', 'mysqld');
    $digest->add(scalar qx{$server --no-defaults --version});
    my $path = "$options{build}/t-database-" . substr $digest->hexdigest, 0, 16;
    open my $lock, '>', "$options{build}/t-database.lock" or die "$options{build}/t-database.lock: $!\n";
    flock $lock, LOCK_EX or die "flock: $!\n";
    if (!-d $path) {
        my $work = "$path.new";
        File::Path::remove_tree($work);
        File::Path::make_path("$work/log");
        my $log = "$work/log/server.log";
        my $fail = sub ($what) { die "$what:\n" . slurp($log) };
        my $password = join '', map { ('a' .. 'z', 0 .. 9)[rand 36] } 1 .. 24;
        write_file("$work/password", $password);
        write_file("$work/init.sql", <<~"SQL");
            CREATE DATABASE roster CHARACTER SET utf8mb4;
            CREATE USER 'roster'\@'localhost' IDENTIFIED BY '$password';
            GRANT SELECT, INSERT, UPDATE, DELETE ON roster.* TO 'roster'\@'localhost';
            CREATE USER 'roster-migrate'\@'localhost' IDENTIFIED BY '$password';
            GRANT ALL PRIVILEGES ON roster.* TO 'roster-migrate'\@'localhost';
            SQL
        # A build directory may be deep; a socket's path may not be long.
        my $sockets = File::Temp->newdir('/tmp/roster-XXXXXXXX');
        my $socket = "$sockets/mariadb.sock";
        my $process = Roster::Process->start(
            'mariadb',
            server_command("$work/data", $socket, "--init-file=$work/init.sql"),
            log => $log);
        eval {
            Roster::Process::wait_until(60, sub { !$process->running || IO::Socket::UNIX->new(Peer => $socket) })
                && $process->running
                or die "mariadbd did not start\n";
            $options{migrate}->($socket, "$work/password");
        };
        my $error = $@;
        my $status = $process->stop('TERM', 60);
        $fail->($error) if $error;
        $fail->('mariadbd did not stop') if ($status // 1) != 0;
        rename $work, $path or die "rename: $!\n";
    }
    return ("$path/data", slurp("$path/password"));
}

sub write_file ($file, $text) {
    my $old = umask 0077;
    open my $out, '>:raw', $file or die "$file: $!\n";
    print $out $text;
    close $out or die "$file: $!\n";
    umask $old;
    return;
}

# A client that stays connected as root.
sub connect ($class, $socket) {
    my @command = (
        find_program('mariadb', 'mysql'), '--no-defaults',
        "--socket=$socket", '--user=root',
        '--database=roster', '--batch',
        '--unbuffered', '--force',
        '--default-character-set=utf8mb4', '--max-allowed-packet=64M');
    my $pid = IPC::Open2::open2(my $out, my $in, 'sh', '-c', 'exec "$@" 2>&1', 'sh', @command);
    return bless {pid => $pid, out => $out, in => $in, socket => $socket, count => 0}, $class;
}

# The client is told to end: a process that was forked meanwhile may hold its input open.
sub disconnect ($self) {
    local $SIG{PIPE} = 'IGNORE';
    print {$self->{in}} "quit\n";
    close $self->{in};
    close $self->{out};
    waitpid $self->{pid}, 0;
    return;
}

# A value as it stands in SQL; undef is NULL.
sub quote ($value) {
    return 'NULL' if !defined $value;
    my %escape = ("\0" => '\\0', "\n" => '\\n', "\r" => '\\r', "\x1a" => '\\Z');
    return "'" . ($value =~ s/([\\'\0\n\r\x1a])/$escape{$1} \/\/ "\\$1"/ger) . "'";
}

# Runs statements, with the values in place of question marks (outside of them, `?` must not occur). Gives the names of
# the columns and the rows of what comes back. NULL is undef, and so is the text 'NULL'. Dies with what the server says
# is wrong.
sub run ($self, $statement, @values) {
    $statement =~ s/\?/@values ? quote(shift @values) : die "too few values for: $statement\n"/ge if @values;
    die "too many values for: $statement\n" if @values;
    $statement =~ s/[\s;]*$/;/;
    my $mark = "roster-end-$$-" . ++$self->{count};
    local $SIG{PIPE} = 'IGNORE';
    print {$self->{in}} Encode::encode('UTF-8', $statement), "\nSELECT '$mark';\n";
    $self->{in}->flush;
    my (@lines, @errors);
    local $SIG{ALRM} = sub { die "no answer from MariaDB in time: $statement\n" };
    my $before = alarm 60 * $Roster::Process::patience;
    while (1) {
        my $line = readline($self->{out}) // 'ERROR 2006 (the client has ended)';
        chomp $line;
        if ($line eq $mark) {
            next if !$self->{seen}++;    # the mark is its own column's name first
            last;
        }
        if ($line =~ /^ERROR \d+/) { push @errors, $line }
        if ($line =~ /^ERROR (?:2002|2006|2013) /) {
            $self->{is_gone} = 1;        # the mark would not come
            alarm $before;
            die "MariaDB is gone: @errors\n";
        }
        else { push @lines, $line }
    }
    $self->{seen} = 0;
    alarm $before;
    die join("\n", @errors) . "\nin: $statement\n" if @errors;
    my %unescape = (t => "\t", n => "\n", 0 => "\0", '\\' => '\\');
    my @rows =
        map { [
        map { $_ eq 'NULL' ? undef : Encode::decode('UTF-8', s/\\(.)/$unescape{$1} \/\/ $1/ger) }
            length ? split(/\t/, $_, -1) : ''
        ] } @lines;
    my $names = shift @rows // [];
    return ($names, \@rows);
}

1;
