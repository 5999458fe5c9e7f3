# rosterctl doctor: each finding once, with its subject, its severity and the command that mends it; what somebody who is
# not root can't see is no error. What `roster -t' has in common with it is in 15-check.t.
use v5.36;

use IO::Socket::UNIX;
use JSON::PP ();
use POSIX ();
use Test::More;

use Roster;

my $roster = Roster->new(https => 1);
my $directory = $roster->{directory};
my $is_root = $> == 0;
like $roster->log_text, qr/\[warning\] \d+#master: there are no accounts, and the first visitor who signs up becomes/,
    'a service without accounts warns in its log at the start';

# The findings, with these directives: [{state, subject, text, cure}].
sub doctor (%options) {
    my $nginx = delete $options{nginx} // "$directory/nginx";
    local $roster->{options}{config} = {%{$roster->{options}{config} // {}}, %options};
    $roster->write_configuration;
    my $findings = $roster->ctl('--json', 'doctor', '--nginx-directory', $nginx)->{json};
    return $findings;
}

# That there is one such finding, and its cure.
sub finds ($findings, $state, $subject, $text, $cure, $name) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my @found = grep { $_->{text} =~ $text } @$findings;
    is scalar @found, 1, $name or diag explain $findings;
    is "$found[0]{state} $found[0]{subject}", "$state $subject", '... as severe as it is' if @found;
    like $found[0]{cure} // '', $cure, '... with what mends it' if @found;
    return;
}

my $none = qr/^$/;
my $findings = doctor();
finds $findings, 'warning', 'accounts', qr/^there are no accounts/, qr/^rosterctl user add .*--role admin/,
    'nobody has an account';
my $admin = $roster->add_user(role => 'admin');

# ---- All is well ----

$findings = doctor();
is_deeply [grep { $_->{state} eq 'error' } @$findings], [], 'no errors where all is well';
finds $findings, 'ok', 'site', qr{^https://localhost is answered by Roster$}, $none, 'a request by name';
finds $findings, 'ok', 'site', qr/^nginx runs, and its user \S+ can connect to all sockets$/, $none, "nginx's user";
finds $findings, 'warning', 'site', qr/^the certificate of localhost expires in \d+ days$/, qr/certbot/,
    'a certificate of two days';
finds $findings, 'ok', 'disk', qr/^\d+ % of the file system with \Q$directory\E\S+ are free$/, $none, 'the disk'
    if !grep { $_->{subject} eq 'disk' && $_->{state} ne 'ok' } @$findings;
finds $findings, 'ok', 'accounts', qr/^accounts exist/, $none, 'somebody has an account';
is_deeply [grep { $_->{text} =~ /whom they may take for/ } @$findings], [], 'nobody is taken for somebody else';
my $plain = $roster->ctl('doctor', '--nginx-directory', "$directory/nginx")->{out};
like $plain, qr/^warning  site           the certificate of .*\n {25}mend it: \S.*$/m, 'people read the cure below it';

# ---- nginx ----

{
    my $copy = "$directory/copy";
    mkdir $copy;
    my $text = Roster::Database::slurp("$directory/nginx/nginx.conf");

    # A directory with this nginx.conf, which names this pid file, and listens here.
    my $with = sub (%changes) {
        my $changed = $text =~ s{^pid .*;}{pid @{[$changes{pid} // "$directory/nginx/nginx.pid"]};}mr;
        $changed =~ s{listen .*;}{listen $changes{listen};} if $changes{listen};
        $changed =~ s{include \S+private-tls\S+;}{} if $changes{listen};
        $changed =~ s{(?=listen )}{server_name $changes{name};\n} if $changes{name};
        Roster::Database::write_file("$copy/nginx.conf", $changed);
        return doctor(nginx => $copy);
    };
    # Answers one request with this, past TLS.
    my $answers = sub ($answer, %changes) {
        my $path = "$directory/fake.sock";
        unlink $path;
        my $listening = IO::Socket::UNIX->new(Local => $path, Listen => 1) // die "$path: $!\n";
        my $child = fork // die "fork: $!\n";
        if (!$child) {
            my $client = $listening->accept;
            my $request = '';
            while ($request !~ /\r\n\r\n/ && sysread $client, my $part, 4096) { $request .= $part }
            syswrite $client, $answer =~ s/%s/$request/r;
            close $client;
            POSIX::_exit(0);
        }
        close $listening;
        my $findings = $with->(listen => "unix:$path", %changes);
        waitpid $child, 0;
        return $findings;
    };
    my $now = POSIX::strftime('%a, %d %b %Y %H:%M:%S GMT', gmtime);
    my $good = "HTTP/1.1 200 OK\r\nDate: $now\r\n\r\n{\"openapi\": \"3.1.0\"}";
    finds $answers->($good), 'ok', 'site', qr{^http://localhost is answered by Roster$}, $none, 'a site without TLS';
    finds $answers->($good, name => 'users.example.org other.example.org'), 'ok', 'site',
        qr{^http://users\.example\.org is answered by Roster$}, $none, 'its name';
    finds $answers->("HTTP/1.1 404 Not Found\r\n\r\n%s", name => 'users.example.org'), 'error', 'site',
        qr{^http://users\.example\.org is answered with 404, and not by Roster}, qr/^nginx -T$/, 'another site answers';
    finds $answers->("HTTP/1.1 200 OK\r\n\r\n<html>"), 'error', 'site', qr/is answered with 200, and not by Roster/,
        qr/^nginx -T$/, '... also with 200';
    finds $answers->("HTTP/1.1 502 Bad Gateway\r\n\r\n"), 'error', 'site',
        qr{^http://localhost answers 502: nginx gets no answer from Roster$}, qr/^systemctl restart roster/,
        'nginx reaches nobody';
    finds $answers->("HTTP/1.1 503 Service Unavailable\r\n\r\n"), 'error', 'site',
        qr{^http://localhost answers 503: Roster is not ready, or nginx does not reach it},
        qr/^systemctl status roster/,
        'Roster is not ready';
    finds $answers->(''), 'error', 'site', qr/^nginx gives no answer/, qr/nginx/, 'no answer';
    finds $answers->($good =~ s/20\d\d/2001/r), 'warning', 'site', qr/^the Date of .* differ by \d+ seconds/,
        qr/^timedatectl set-ntp true$/, 'two clocks';
    finds $with->(listen => "unix:$directory/nothing.sock"), 'error', 'site',
        qr{^nginx does not listen at unix:\Q$directory\E/nothing\.sock, where \Q$copy\E/nginx\.conf has the site},
        qr/^systemctl reload-or-restart nginx$/, 'nobody listens';
    finds $with->(listen => '127.0.0.1:1'), 'error', 'site', qr/^nginx does not listen at 127\.0\.0\.1:1, /, qr/nginx/,
        'nor at a port';
    finds $with->(pid => "$directory/nothing.pid"), 'error', 'site', qr{^nginx does not run: .*/nothing\.pid},
        qr/^systemctl start nginx$/, 'nginx does not run';
    Roster::Database::write_file("$directory/other.pid", "$$\n");
    finds $with->(pid => "$directory/other.pid"), 'error', 'site', qr/^nginx does not run/, qr/nginx/,
        '... though another process has its number';
    Roster::Database::write_file("$copy/roster-locations.conf", '');
    utime time + 100, time + 100, "$copy/roster-locations.conf";
    finds $answers->($good), 'warning', 'site', qr{^nginx has not read \Q$copy\E/roster-locations\.conf since it was},
        qr/^nginx -t && systemctl reload nginx$/, 'a file was changed, and nginx was not told';
    finds doctor(nginx => "$directory/mariadb"), 'unseen', 'nginx', qr/^nginx itself: no site/, $none, 'no site';
    unlink "$copy/roster-locations.conf";

    SKIP: {
        skip 'only root can try what another user may do', 6 if !$is_root;
        my $child = fork // die "fork: $!\n";
        if (!$child) {
            # A process that stands for a worker of nginx, as another user.
            my $worker = fork // POSIX::_exit(1);
            if (!$worker) {
                ($(, $)) = (65534, '65534 65534');
                ($<, $>) = (65534, 65534);
                sleep 1000;
            }
            Roster::Database::write_file("/proc/$$/comm", 'nginx');
            Roster::Database::write_file("$directory/other.pid.new", "$$\n$worker\n");
            rename "$directory/other.pid.new", "$directory/other.pid";
            sleep 1000;
        }
        wait_until(10, sub { Roster::Database::slurp("$directory/other.pid") =~ /^$child\n/ }) or die;
        my ($worker) = Roster::Database::slurp("$directory/other.pid") =~ /\n(\d+)/;
        wait_until(10, sub { Roster::Database::slurp("/proc/$worker/status") =~ /^Uid:\s65534\s65534/m }) or die;
        chmod 0755, $directory;
        my @refused = grep { $_->{text} =~ /^nginx's user nobody can't connect to \S+, the socket of pool/ }
            @{$with->(pid => "$directory/other.pid")};
        is scalar @refused, 6, "nginx's user may not connect to any socket";
        like $refused[0]{cure}, qr/^chgrp nogroup \S+api\.sock && chmod 660 .*listen_group = nogroup/,
            '... and how it may';
        is "$refused[0]{state} $refused[0]{subject}", 'error site', '... is an error';
        chmod 0666, glob "$directory/*.sock";
        finds $with->(pid => "$directory/other.pid"), 'ok', 'site', qr/^nginx runs, and its user nobody can connect/,
            $none, '... and where it may';
        chmod 0660, map { $roster->socket_path($_) } qw(api password directory status);
        chmod 0660, glob "$directory/{api-write,password-first}.sock";
        kill 'KILL', $worker, $child;
        waitpid $child, 0;
    }
}

# ---- Its certificate ----

{
    my $tls = "$directory/nginx/tls";
    my @new = qw(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes);
    my $reload = sub {
        my %before = map { ($_ => 1) } nginx_workers();
        $roster->process('nginx')->signal('HUP');
        wait_until(
            30,
            sub {
                my @now = nginx_workers();
                @now && !grep { $before{$_} } @now;
            }
        ) or die "nginx does not reload\n";
    };
    my $install = sub ($subject, $days, $issuer = undef) {
        my @by = $issuer ? ('-CA', "$directory/ca.crt", '-CAkey', "$directory/ca.key") : ();
        system(qw(openssl req -x509),
            @new, '-days', $days, '-subj', "/CN=$subject", '-addext',
            "subjectAltName=DNS:$subject", '-keyout', "$tls.key", '-out', "$tls.crt", @by) == 0
            or die "openssl failed\n";
        $reload->();
    };

    # One that is valid from and until these moments, in seconds from now.
    my $install_dated = sub ($from, $until) {
        my $own = "$directory/openssl";
        mkdir $own;
        my ($start, $end) = map { POSIX::strftime('%Y%m%d%H%M%SZ', gmtime time + $_) } $from, $until;
        Roster::Database::write_file("$own/index", '');
        Roster::Database::write_file("$own/serial", "01\n");
        Roster::Database::write_file("$own/conf", <<"END");
[ca]
default_ca = own
[own]
database = $own/index
serial = $own/serial
new_certs_dir = $own
default_md = sha256
policy = any
[any]
commonName = supplied
END
        system(qw(openssl req -new), @new, '-subj', '/CN=localhost', '-keyout', "$tls.key", '-out', "$own/request") ==
            0 && system(
            qw(openssl ca -batch -selfsign -notext -config),
            "$own/conf", '-keyfile', "$tls.key", '-in', "$own/request", '-startdate',
            $start, '-enddate', $end, '-out', "$tls.crt"
            ) == 0
            or die "openssl failed\n";
        $reload->();
    };
    open my $errors, '>&', \*STDERR;
    open STDERR, '>', "$directory/log/openssl.log";
    system(qw(openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 50 -subj /CN=CA -keyout),
        "$directory/ca.key", '-out', "$directory/ca.crt") == 0
        or die "openssl failed\n";
    $install_dated->(-100_000, -3600);
    finds doctor(), 'error', 'site', qr/^the certificate of localhost has expired$/, qr/certbot/,
        'one that expired an hour ago';
    $install_dated->(3600, 10_000_000);
    finds doctor(), 'error', 'site', qr/^the certificate of localhost is not valid yet: is the clock right\?$/,
        qr/^timedatectl set-ntp true$/, 'one that begins in an hour';
    $install->('localhost', 40);
    finds doctor(), 'ok', 'site', qr/^the certificate of localhost is valid for (?:39|40) days; it is self-signed/,
        $none,
        'a good one of its own';
    SKIP: {
        skip 'openssl signs no request with a CA in one step', 6
            if system("openssl req -help 2>&1 | grep -q -- '-CAkey'") != 0;
        $install->('localhost', 40, 1);
        finds doctor(), 'ok', 'site', qr/^the certificate of localhost is valid for (?:39|40) days$/, $none,
            'a good one';
        $install->('other.example.org', 40, 1);
        my $file = "$directory/nginx/nginx.conf";
        my $text = Roster::Database::slurp($file);
        Roster::Database::write_file($file, $text =~ s/(?=listen )/server_name users.example.org;\n/r);
        finds doctor(), 'warning', 'site', qr/^the certificate is not one for users\.example\.org/,
            qr/^certbot --nginx/,
            'one for another name';
        Roster::Database::write_file($file, $text);
    }
    open STDERR, '>&', $errors;
}

sub nginx_workers () {
    my $master = $roster->process('nginx')->{pid};
    return split ' ', Roster::Database::slurp("/proc/$master/task/$master/children");
}

# ---- MariaDB ----

$roster->sql(q{SET GLOBAL init_connect = 'SET timestamp = 1000000000'});
finds doctor(), 'warning', 'dependencies', qr/^MariaDB's clock and that of this machine differ by \d+ seconds/,
    qr/^timedatectl set-ntp true$/, "MariaDB's clock";
$roster->sql(q{SET GLOBAL init_connect = ''});
$roster->sql('SET GLOBAL max_allowed_packet = 1048576');
finds doctor(), 'warning', 'dependencies', qr/max_allowed_packet is 1048576, but/,
    qr/^mariadb -e 'SET GLOBAL max_allowed_packet = \d+' && systemctl restart roster$/, 'a packet that is too small';
$roster->sql('SET GLOBAL max_allowed_packet = 16777216');
$roster->sql('SET GLOBAL max_prepared_stmt_count = 100');
finds doctor(), 'error', 'dependencies', qr/^MariaDB's max_prepared_stmt_count is 100, but \d+ workers may take/,
    qr/SET GLOBAL max_prepared_stmt_count = \d+/, 'too few statements';
$roster->sql('SET GLOBAL max_prepared_stmt_count = 16382');
$roster->sql('SET GLOBAL read_only = 1');
finds doctor(), 'error', 'dependencies', qr/: it is read-only/,
    qr/^mariadb -e 'SET GLOBAL read_only = 0'$/, 'a server that takes no writes';
$roster->sql('SET GLOBAL read_only = 0');

finds doctor(database_user => 'nobody'), 'error', 'dependencies', qr/^MariaDB does not let Roster in: .*\[1045\]/,
    qr/^rosterctl grants \| mariadb$/, 'an account that there is not';
finds doctor(database_name => 'nowhere'), 'error', 'dependencies', qr/^MariaDB does not let Roster in: /,
    qr/^rosterctl grants \| mariadb$/, 'a database that there is not';
$roster->stop('mariadb');
finds doctor(), 'error', 'dependencies', qr/^MariaDB can't be reached: /, qr/^systemctl start mariadb$/, 'no MariaDB';
{
    local $roster->{options}{mariadb} = ['--version=10.6.18-MariaDB'];
    $roster->start('mariadb');
    finds doctor(), 'error', 'dependencies', qr/^MariaDB 10\.6\.18-MariaDB\S* at \S+ is too old: Roster needs 10\.10/,
        qr/^apt install mariadb-server$/, 'a MariaDB that is too old';
    $roster->stop('mariadb');
}
$roster->start('mariadb');

# ---- Redis ----

chmod 0777, $roster->socket_path('redis');
finds doctor(), 'warning', 'dependencies', qr/^Redis at \S+redis\.sock is open to each local user/,
    qr/unixsocketperm 770/, 'Redis at a socket for everybody';
chmod 0700, $roster->socket_path('redis');
unlike join("\n", map { $_->{text} } @{doctor()}), qr/open to each local user/, '... and for few';
my $port = Roster::free_port();
$roster->redis('CONFIG', 'SET', 'port', $port);
finds doctor(redis_host => "127.0.0.1:$port"), 'warning', 'dependencies',
    qr/^Redis at 127\.0\.0\.1:$port has no password/, qr/requirepass/, 'Redis at a port, without a password';
Roster::Database::write_file("$directory/redis.password", $roster->secret('a password of a user') . "\n");
chmod 0600, "$directory/redis.password";
$roster->redis('ACL', 'SETUSER', 'roster', 'on', '>a password of a user', '~*', '&*', '+@all');
my %as_user = (
    redis_host => "127.0.0.1:$port",
    redis_user => 'roster',
    redis_password_file => "$directory/redis.password");
finds doctor(%as_user), 'warning', 'dependencies',
    qr/^Redis at 127\.0\.0\.1:$port has the user roster, but its default user has no password/,
    qr/^redis-cli ACL SETUSER default off/, '... with a user, and open beside it';
$roster->redis('CONFIG', 'SET', 'requirepass', 'another');
$roster->redis('AUTH', 'another');
unlike join("\n", map { $_->{text} } @{doctor(%as_user)}), qr/^Redis at/m, '... until it is closed';
finds doctor(), 'warning', 'dependencies',
    qr/^Redis wants another password than that of redis_password_file: PING is answered with NOAUTH/,
    qr/requirepass.*>\/etc\/roster\/redis\.password\) && systemctl restart roster$/, 'Redis asks for a password';
Roster::Database::write_file("$directory/redis.password", "wrong\n");
chmod 0600, "$directory/redis.password";
finds doctor(redis_password_file => "$directory/redis.password"), 'warning', 'dependencies',
    qr/^Redis wants another password .* AUTH is answered with WRONGPASS/, qr/requirepass/, '... for another one';
$roster->redis('CONFIG', 'SET', 'requirepass', '');
{
    my $path = "$directory/old-redis.sock";
    my $listening = IO::Socket::UNIX->new(Local => $path, Listen => 5) // die "$path: $!\n";
    my $child = fork // die "fork: $!\n";
    if (!$child) {
        # An old Redis: it answers each command as soon as the last word of it is there.
        while (my $client = $listening->accept) {
            my $in = '';
            while (sysread $client, my $part, 4096) {
                $in .= $part;
                while ($in =~ s/^\*(\d+)\r\n((?:\$\d+\r\n[^\r]*\r\n){1,9}?)(?=\*|\z)//) {
                    my $text = "redis_version:5.0.14\r\n";
                    syswrite $client,
                          $2 =~ /INFO/ ? sprintf("\$%d\r\n%s\r\n", length $text, $text)
                        : $2 =~ /PING/ ? "+PONG\r\n"
                        : "+OK\r\n";
                }
            }
        }
        POSIX::_exit(0);
    }
    close $listening;
    finds doctor(redis_socket => $path), 'warning', 'dependencies', qr/^Redis 5\.0\.14 is older than 6\.0/,
        qr/^apt install redis-server$/, 'an old Redis';
    kill 'KILL', $child;
    waitpid $child, 0;
}
finds doctor(redis_socket => "$directory/nothing.sock"), 'warning', 'dependencies', qr/^Redis can't be reached/,
    qr/^systemctl start redis-server$/, 'no Redis';

# ---- The service ----

{
    my $path = "$directory/mute.sock";
    my $listening = IO::Socket::UNIX->new(Local => $path, Listen => 5) // die "$path: $!\n";
    my $child = fork // die "fork: $!\n";
    if (!$child) {
        while (my $client = $listening->accept) { sysread $client, my $part, 4096; close $client }
    }
    close $listening;
    chmod 0660, $path;
    local $roster->{options}{directory} = {%{$roster->{options}{directory} // {}}, listen => $path};
    finds doctor(), 'error', 'service', qr/^pool directory does not answer at \Q$path\E/,
        qr/^tail \Q$directory\E\/log\/roster-error\.log$/, 'a pool that does not answer, and where its log is';
    finds doctor(error_log => 'journal'), 'error', 'service', qr/^pool directory does not answer at \Q$path\E/,
        qr/^(?:journalctl -u roster|roster, in the foreground)$/, '... also in the journal';
    kill 'KILL', $child;
    waitpid $child, 0;
}
chmod 0666, $roster->socket_path('status');
finds doctor(), 'warning', 'service', qr/^pool status answers, but all users of this machine may connect/,
    qr/^chmod 660 \S+status\.sock$/, 'a socket for everybody';
chmod 0660, $roster->socket_path('status');

# ---- The logs ----

finds doctor(error_log => "$directory/nowhere/error.log"), 'error', 'files',
    qr/^error_log: .*No such file or directory$/,
    qr/^install -d -o .+ -m 2750 \Q$directory\E\/nowhere$/, 'a directory for logs that is not there';

# ---- The disk ----

SKIP: {
    skip 'only root can mount a full disk', 3 if !$is_root || system('unshare --mount true 2>/dev/null') != 0;
    mkdir "$directory/full";
    local $roster->{options}{config} = {error_log => "$directory/full/error.log"};
    $roster->write_configuration;
    my $script = "mount -t tmpfs -o size=1M none $directory/full && head -c 1000K /dev/zero >$directory/full/file; "
        . "exec $Roster::build/rosterctl --json -c @{[$roster->config_file]} doctor";
    finds JSON::PP::decode_json(scalar qx{unshare --mount sh -c '$script'}), 'warning', 'disk',
        qr/^\d\.\d % of the space of the file system with \Q$directory\E\/full are free/, qr/^du /, 'a full disk';
}

# ---- Somebody else ----

SKIP: {
    skip 'only root can become somebody else', 10 if !$is_root;
    chmod 0755, $directory;
    local $roster->{options}{config} = {user => 'daemon', group => 'daemon'};
    $roster->write_configuration;
    chmod 0644, $roster->config_file;
    my $command = "$Roster::build/rosterctl -c @{[$roster->config_file]} doctor --nginx-directory $directory/nginx";
    my $become = 'perl -e \'($(, $)) = (65534, "65534 65534"); ($<, $>) = (65534, 65534); exec @ARGV or exit 99\' ';
    my $text = qx{$become $command 2>&1};
    my $status = $? >> 8;
    skip 'others may not read the build directory', 10 if $status == 99 || $status == 126;
    is $status, 0, 'what somebody else can\'t see is no error' or diag $text;
    like $text, qr/^unseen   $_/m, "... but is said: $_"
        for 'secrets  ', 'files          whether the user daemon can write the logs',
        'dependencies   MariaDB, Redis and the accounts: only root and the user daemon can look',
        'service        whether pool api answers';
    like $text, qr/^Not seen: \d+\. Call this as root to see everything\.$/m, '... with how to see it';
    unlike $text, qr/^error/m, 'nothing is an error';
    $text = qx{$command --nginx-directory $directory/mariadb 2>&1};
    like $text, qr/^Not seen: 1\.$/m, 'root is not told to be root';
}

$roster->write_configuration;
$roster->stop('nginx');
finds doctor(), 'error', 'site', qr/^nginx does not run/, qr/^systemctl start nginx$/, 'nginx is stopped';
$roster->stop('roster');
my @missing = grep { $_->{state} eq 'error' && $_->{subject} eq 'service' } @{doctor()};
is scalar @missing, 1, 'a service that does not run is told of once';
like $missing[0]{text}, qr/^the service does not run: nobody listens at any of its sockets \(\S+: No such file/,
    '... as such';
like $missing[0]{cure}, qr/^(?:systemctl restart roster\.socket roster|roster -d)$/, '... with what starts it';
$roster->start('roster');
ok wait_until(30, sub { 2 == (() = $roster->log_text =~ /ready after/g) }), 'it starts again';
is scalar(() = $roster->log_text =~ /there are no accounts/g), 1, '... and has nothing to say about accounts';

done_testing;
