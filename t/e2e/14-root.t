# A master of root's with workers of another user: the workers are that user and nothing else, and nobody leads root
# where it does not want to go.
use v5.36;

use Test::More;
use Time::HiRes ();

use Roster;

plan skip_all => 'only root can show what root does' if $> != 0;

# Whoever there is anywhere: the workers' user, whom an attacker may be, and another group.
my $USER = 'nobody';
my ($uid, $gid) = (getpwnam $USER)[2, 3];

# A stack whose master changes the user. Nothing here needs a server.
sub new_stack (%config) {
    my $roster = Roster->new(
        without => [qw(mariadb redis nginx)],
        start => 0,
        config => {user => $USER, error_log => undef, access_log => undef, %config});
    my $directory = $roster->{directory};
    chmod 0755, $directory;    # the workers' user comes through
    mkdir "$directory/run" or die;
    chmod 0755, "$directory/run";
    chown $uid, $gid, "$directory/log";
    $roster->{options}{config} = {
        user => $USER,
        group => '',
        pid_file => "$directory/run/roster.pid",
        error_log => "$directory/log/roster-error.log",
        access_log => "$directory/log/roster-access.log",
        %config
    };
    $roster->{options}{$_}{listen} = "$directory/run/$_.sock" for qw(api password);
    return $roster;
}

# Starts it as an administrator does: [exit status, what it said]. It runs afterwards where the status is 0.
sub start ($roster) {
    $roster->write_configuration;
    my ($status, $text) = $roster->run_program('roster', '-c', $roster->config_file, '-d');
    return ($status >> 8, $text);
}

sub pid_of ($roster) {
    open my $in, '<', "$roster->{directory}/run/roster.pid" or return undef;
    return 0 + readline $in;
}

sub stop ($roster) {
    my $pid = pid_of($roster) or return;
    kill 'QUIT', $pid;
    return wait_until(20, sub { !kill 0, $pid });
}

sub children ($pid) { return split ' ', Roster::Database::slurp("/proc/$pid/task/$pid/children") }

# What -t says.
sub check ($roster) {
    $roster->write_configuration;
    return ($roster->run_program('roster', '-c', $roster->config_file, '-t'))[1];
}

# A file of root's that root must not touch, and what it must still be afterwards.
sub victim ($roster) {
    my $file = "$roster->{directory}/victim";
    Roster::Database::write_file($file, "precious\n");
    chmod 0600, $file;
    return $file;
}

sub is_untouched ($file, $name) {
    my @status = stat $file;
    return is_deeply [@status[2, 4, 5], Roster::Database::slurp($file)], [0100600, 0, 0, "precious\n"], $name;
}

# Names both in the place of the other, in one step (renameat2(2), RENAME_EXCHANGE); for x86-64, 64-bit ARM and 64-bit
# RISC-V.
my ($machine) = (POSIX::uname())[4];
my %number = (x86_64 => 316, aarch64 => 276, riscv64 => 276);
sub exchange ($left, $right) { return syscall($number{$machine}, -100, $left, -100, $right, 2) == 0 }

subtest 'the workers are the other user' => sub {
    my $roster = new_stack(listen_group => undef);
    $roster->{options}{api}{listen_group} = 'daemon';
    $roster->{options}{api}{listen_mode} = '0640';
    # The groups of whoever calls must not be the workers'.
    local $) = "0 0 1 2 3";
    my ($status, $text) = start($roster);
    is $status, 0, 'it starts' or diag $text;
    my $master = pid_of($roster);
    my @workers = children($master);
    is scalar(@workers), 6, 'there are five workers, and the housekeeper';
    for my $worker (@workers) {
        my $process = Roster::Database::slurp("/proc/$worker/status");
        is_deeply [$process =~ /^Uid:\s+(.*)$/m], [join "\t", ($uid) x 4], 'real, effective, saved user';
        is_deeply [$process =~ /^Gid:\s+(.*)$/m], [join "\t", ($gid) x 4], 'the same for the group';
        is_deeply [$process =~ /^Groups:\s+(.*?)\s*$/m], ["$gid"], 'and no other group';
        like $process, qr/^CapEff:\s+0+$/m, 'no capability';
    }
    my $process = Roster::Database::slurp("/proc/$master/status");
    is_deeply [$process =~ /^Uid:\s+(.*)$/m], [join "\t", (0) x 4], 'the master is root still';
    is_deeply [$process =~ /^Groups:\s+(.*?)\s*$/m], ['0 1 2 3'],
        'with its own groups, also after it has opened the logs';

    my @api = stat "$roster->{directory}/run/api.sock";
    is_deeply [@api[2, 4, 5]], [0140640, $uid, scalar getgrnam 'daemon'], "a socket's mode, owner and group";
    my @password = stat "$roster->{directory}/run/password.sock";
    is_deeply [@password[2, 4, 5]], [0140660, $uid, $gid], '... and by default';
    my ($mode, $owner) = (stat "$roster->{directory}/run/roster.pid")[2, 4];
    is_deeply [$mode & 0100133, $owner], [0100000, 0], "the pid file is root's, and no more than the umask lets it be";
    is_deeply [map { (stat "$roster->{directory}/log/roster-$_.log")[4] } qw(error access)], [$uid, $uid],
        'the logs are the user\'s';
    is $roster->fastcgi('api', {REQUEST_URI => '/ping'})->{status}, 200, 'it answers';

    # The logs go away and come back, and both master and workers write to them.
    rename "$roster->{directory}/log/roster-$_.log", "$roster->{directory}/log/old-$_.log" or die for qw(error access);
    kill 'USR1', $master;
    ok $roster->wait_log(qr/the logs were reopened/), 'USR1';
    ok wait_until(10,
        sub { $roster->fastcgi('api', {REQUEST_URI => '/ping'}); $roster->log_text('roster-access') =~ /route=ping/ }),
        'workers write';
    is_deeply [map { (stat "$roster->{directory}/log/roster-$_.log")[4] } qw(error access)], [$uid, $uid],
        'the user has them again';
    ok stop($roster), 'it stops';
    ok !-e "$roster->{directory}/run/$_", "$_ is gone" for qw(api.sock password.sock roster.pid);
    $roster->finish;
};

subtest 'a directory of root\'s for the logs' => sub {
    my $roster = new_stack();
    chown 0, 0, "$roster->{directory}/log";
    chmod 0755, "$roster->{directory}/log";
    unlike check($roster), qr/error: error_log/, '-t has nothing against it';
    my ($status, $text) = start($roster);
    is $status, 0, 'it starts' or diag $text;
    is_deeply [map { (stat "$roster->{directory}/log/roster-$_.log")[4] } qw(error access)], [$uid, $uid],
        'root makes the files, and gives them to the user';
    rename "$roster->{directory}/log/roster-access.log", "$roster->{directory}/log/old.log";
    kill 'USR1', pid_of($roster);
    ok $roster->wait_log(qr/the logs were reopened/), 'USR1';
    ok wait_until(10,
        sub { $roster->fastcgi('api', {REQUEST_URI => '/ping'}); $roster->log_text('roster-access') =~ /route=ping/ }),
        'workers write to a new one';
    stop($roster);
    $roster->finish;
};

# ---- Places that others can change ----

# Each makes the stack's run directory a bad place.
my @bad = (
    [
        "the user's" => sub ($directory) { chown $uid, $gid, "$directory/run" },
        qr/the directory \S+\/run belongs to $USER, .*install -d -o root -g root -m 755 \S+\/run/
    ],
    [
        "a group's, too" => sub ($directory) { chown 0, $gid, "$directory/run"; chmod 0775, "$directory/run" },
        qr/users other than root may write to the directory \S+\/run \(mode 0775\)/
    ],
    [
        "everybody's" => sub ($directory) { chmod 0777, "$directory/run" },
        qr/users other than root may write to the directory \S+\/run \(mode 0777\)/
    ],
    [
        "everybody's, and sticky" => sub ($directory) { chmod 01777, "$directory/run" },
        qr/users other than root may write to the directory \S+\/run \(mode 1777\)/
    ],
    [
        "within one of the user's" => sub ($directory) {
            rename "$directory/run", "$directory/kept" or die;
            mkdir "$directory/outer" or die;
            rename "$directory/kept", "$directory/outer/run" or die;
            chown $uid, $gid, "$directory/outer";
            symlink 'outer/run', "$directory/run" or die;
        },
        qr/the directory \S+\/outer belongs to $USER/
    ],
    [
        "behind a link of the user's in a sticky directory" => sub ($directory) {
            rename "$directory/run", "$directory/kept" or die;
            mkdir "$directory/sticky" or die;
            chmod 01777, "$directory/sticky";
            symlink "$directory/kept", "$directory/sticky/link" or die;
            system('chown', '-h', $USER, "$directory/sticky/link") == 0 or die;
            symlink 'sticky/link', "$directory/run" or die;
        },
        qr/\S+\/sticky\/link is a symbolic link of $USER/
    ]);

for my $case (@bad) {
    my ($name, $spoil, $pattern) = @$case;
    subtest "a directory that is $name" => sub {
        for my $what (qw(pid_file listen)) {
            my $roster = new_stack();
            my $directory = $roster->{directory};
            my $elsewhere = "$directory/elsewhere";
            mkdir $elsewhere or die;
            chmod 0755, $elsewhere;
            if ($what eq 'listen') { $roster->{options}{config}{pid_file} = "$elsewhere/roster.pid" }
            else { $roster->{options}{$_}{listen} = "$elsewhere/$_.sock" for qw(api password) }
            $spoil->($directory);
            $roster->allow_log($pattern);
            like check($roster), qr/error: $what: .*$pattern/, "$what: -t says so";
            my ($status, $text) = start($roster);
            is $status, 1, '... it does not start';
            my $made = $what eq 'listen' ? 'the socket' : 'pid_file';
            like $text, qr/\.conf: $made \S+ can't be made: .*$pattern/,
                '... and says what it is about, whose the directory is, and what to do';
            is_deeply [glob "$directory/run/*"], [], '... and leaves nothing there';
            stop($roster) if !$status;
            $roster->finish;
        }
    };
}

subtest 'a directory that is missing' => sub {
    my $roster = new_stack();
    rmdir "$roster->{directory}/run" or die;
    my ($status, $text) = start($roster);
    is $status, 0, 'it starts' or diag $text;
    is_deeply [(stat "$roster->{directory}/run")[2, 4, 5]], [040755, 0, 0], 'with one of root\'s';
    stop($roster);

    $roster->{options}{$_}{listen} = "$roster->{directory}/users/run/$_.sock" for qw(api password);
    mkdir "$roster->{directory}/users" or die;
    chown $uid, $gid, "$roster->{directory}/users";
    $roster->allow_log(qr/the directory \S+\/users belongs to $USER/);
    ($status, $text) = start($roster);
    is $status, 1, "root makes none in one of the user's";
    like $text, qr/the directory \S+\/users belongs to $USER/, 'and says why';
    ok !-e "$roster->{directory}/users/run", 'indeed';
    $roster->finish;
};

# ---- Things that lie there already ----

subtest 'links and files of others' => sub {
    my $roster = new_stack();
    my $directory = $roster->{directory};
    my $victim = victim($roster);
    my $refuses = sub ($name, $pattern) {
        $roster->allow_log($pattern);
        my ($status, $text) = start($roster);
        is $status, 1, "$name: it does not start";
        like $text, $pattern, '... and says why';
        is_untouched $victim, '... what the link leads to is as it was';
        stop($roster) if !$status;
    };
    for my $socket ('api.sock', 'password.sock') {
        symlink $victim, "$directory/run/$socket" or die;
        $refuses->("a link in the place of $socket", qr/\Q$socket\E exists and is not a socket/);
        ok -l "$directory/run/$socket", '... the link is there still';
        unlink "$directory/run/$socket";
    }
    symlink "$directory/nowhere", "$directory/run/api.sock" or die;
    $refuses->('a link to nothing', qr/api\.sock exists and is not a socket/);
    ok !-e "$directory/nowhere" && !-l "$directory/nowhere", '... nothing was made there';
    unlink "$directory/run/api.sock";

    symlink $victim, "$directory/run/roster.pid" or die;
    $refuses->('a link in the place of the pid file', qr/pid_file \S+ can't be opened/);
    unlink "$directory/run/roster.pid";
    link $victim, "$directory/run/roster.pid" or die;
    $refuses->(
        'a second name of another file',
        qr/pid_file \S+ does not belong to this user,.* or has another hard link/);
    unlink "$directory/run/roster.pid";
    Roster::Database::write_file("$directory/run/roster.pid", "1\n");
    chown $uid, $gid, "$directory/run/roster.pid";
    $refuses->("a file of the user's", qr/pid_file \S+ does not belong to this user/);
    unlink "$directory/run/roster.pid";
    system('mkfifo', "$directory/run/roster.pid") == 0 or die;
    $refuses->('a pipe that nobody reads', qr/pid_file \S+ does not belong to this user/);
    unlink "$directory/run/roster.pid";

    # The logs' directory is the user's: what lies there leads root nowhere.
    for my $make ([link => sub { symlink $victim, $_[0] }], ['second name' => sub { link $victim, $_[0] }]) {
        unlink glob "$directory/log/*";
        $make->[1]->("$directory/log/roster-error.log") or die;
        $refuses->(
            "a $make->[0] in the place of the log",
            qr/error_log: \S+ can't be opened for writing: Permission denied/);
        like check($roster), qr/error: error_log: the workers' user $USER can't write \S+: Permission denied/,
            '... and -t sees it';
        unlink "$directory/log/roster-error.log";
    }
    symlink "$directory/nowhere", "$directory/log/roster-error.log" or die;
    $refuses->(
        'a link to nothing in the place of the log',
        qr/error_log: \S+ can't be opened for writing: Permission denied/);
    ok !-e "$directory/nowhere", '... nothing was made there';
    unlink "$directory/log/roster-error.log";

    # Also while it runs.
    my ($status, $text) = start($roster);
    is $status, 0, 'without them it starts' or diag $text;
    my $pid = pid_of($roster);
    rename "$directory/log/roster-access.log", "$directory/log/old.log" or die;
    symlink $victim, "$directory/log/roster-access.log" or die;
    kill 'USR1', $pid;
    ok $roster->wait_log(qr/the logs can't be reopened: access_log: .*Permission denied/),
        'a link in the place of a log at USR1 is not followed';
    kill 'HUP', $pid;
    ok $roster->wait_log(qr/reload: .*access_log: .*Permission denied; the old configuration stays/),
        '... nor at a reload';
    is_untouched $victim, '... what it leads to is as it was';
    is $roster->fastcgi('api', {REQUEST_URI => '/ping'})->{status}, 200, '... it goes on';
    stop($roster);
    $roster->finish;
};

subtest 'the workers\' user exchanges logs and links meanwhile' => sub {
    plan skip_all => "the number of renameat2 on $machine is not known here" if !$number{$machine};
    my $roster = new_stack();
    my $directory = $roster->{directory};
    my $victim = victim($roster);
    my ($status, $text) = start($roster);
    is $status, 0, 'it starts' or diag $text;
    my $pid = pid_of($roster);
    my $attacker = fork // die "fork: $!\n";
    if (!$attacker) {
        $( = $gid;
        $) = "$gid $gid";
        ($<, $>) = ($uid, $uid);
        symlink $victim, "$directory/log/link" or POSIX::_exit(1);
        my $done = 0;
        my $end = Time::HiRes::time() + 60;
        while (Time::HiRes::time() < $end) {
            $done += exchange("$directory/log/link", "$directory/log/roster-access.log");
        }
        POSIX::_exit(0);
    }
    for my $round (1 .. 100) {
        kill 'USR1', $pid;
        Time::HiRes::sleep(0.01);
    }
    # The attack was one: at some moment the master met the link.
    ok $roster->wait_log(qr/the logs can't be reopened: access_log: .*Permission denied/), 'the master met the link';
    kill 'KILL', $attacker;
    waitpid $attacker, 0;
    is_untouched $victim, 'and left alone what it leads to';
    stop($roster);
    $roster->finish;
};

# ---- Not root ----

subtest 'a unit whose user may not write where the pid file would be' => sub {
    my $roster = new_stack();
    my $directory = $roster->{directory};
    mkdir "$directory/sockets" or die;
    chown $uid, $gid, "$directory/sockets", "$directory/secret.key";
    $roster->{options}{$_}{listen} = "$directory/sockets/$_.sock" for qw(api password);
    $roster->write_configuration;
    chmod 0644, $roster->config_file;
    chmod 0755, $directory;
    my $as_user = 'my ($u, $g, @c) = @ARGV; $( = $g; $) = "$g $g"; ($<, $>) = ($u, $u); exec {$c[0]} @c or die';
    my @command = ($^X, '-e', $as_user, $uid, $gid, "$Roster::build/roster", '-c', $roster->config_file);
    SKIP: {
        skip 'the workers\' user can\'t reach the program', 4
            if system($^X, '-e', $as_user, $uid, $gid, "$Roster::build/roster", '-v') != 0;
        my $text = `@{[join ' ', map {"'$_'"} @command]} 2>&1`;
        is $? >> 8, 1, 'by hand it does not start';
        like $text, qr/pid_file \S+ can't be opened: Permission denied/, '... and says why';
        $roster->spawn('roster', \@command, environment => {NOTIFY_SOCKET => "$directory/nobody-reads.sock"});
        ok wait_until(20, sub { $roster->pool_answers('api') }),
            'systemd knows its process, so it goes without a pid file';
        is $roster->stop('roster'), 0, '... and ends as usual';
    }
    $roster->finish;
};

# ---- What root reads ----

subtest 'configuration and secrets' => sub {
    my $roster = new_stack();
    my $directory = $roster->{directory};
    my $file = $roster->config_file;
    my $refuses = sub ($name, $pattern) {
        for my $option ('-d', '-t') {
            my ($status, $text) = $roster->run_program('roster', '-c', $file, $option);
            is $status >> 8, 1, "$name: $option refuses";
            like $text, $pattern, '... and says why';
            stop($roster) if !$status && $option eq '-d';
        }
    };
    $roster->write_configuration;
    chown $uid, $gid, $file;
    $refuses->(
        "a roster.conf of the user's",
        qr/\Q$file\E does not belong to root, .* call `chown root \Q$file\E && chmod go-w /);
    chown 0, 0, $file;
    chmod 0664, $file;
    $refuses->('one that a group may write', qr/\Q$file\E is writable by users other than root/);
    chmod 0644, $file;

    mkdir "$directory/etc" or die;
    rename $file, "$directory/etc/roster.conf" or die;
    symlink 'etc/roster.conf', $file or die;
    chown $uid, $gid, "$directory/etc";
    $refuses->("one in a directory of the user's, behind a link", qr/the directory \S+\/etc belongs to $USER/);
    chown 0, 0, "$directory/etc";
    my ($status, $text) = $roster->run_program('roster', '-c', $file, '-d');
    is $status, 0, "behind a link of root's, in a directory of root's, it is good" or diag $text;

    # At a reload, too.
    chown $uid, $gid, "$directory/etc";
    kill 'HUP', pid_of($roster);
    ok $roster->wait_log(qr/reload: the directory \S+ belongs to $USER.*; the old configuration stays/),
        'a reload looks as well';
    stop($roster);
    chown 0, 0, "$directory/etc";

    # A key that may be any file of root's would be in the memory of workers.
    mkdir "$directory/secrets" or die;
    rename "$directory/secret.key", "$directory/secrets/secret.key" or die;
    $roster->{options}{config}{secret_key_file} = "$directory/secrets/secret.key";
    unlink $file;
    $roster->write_configuration;
    chown $uid, $gid, "$directory/secrets";
    $refuses->(
        "a key in a directory of the user's",
        qr/secrets\/secret\.key \(secret_key_file\): the directory \S+\/secrets belongs to $USER/);
    ($status, $text) = $roster->rosterctl('config', 'check');
    is $status >> 8, 4, 'rosterctl refuses it as well' or diag $text;
    $roster->finish;
};

subtest 'rosterctl reads files as its caller, and then becomes the user of the service' => sub {
    my $roster = new_stack();
    $roster->write_configuration;
    my $file = "$roster->{directory}/people.csv";
    Roster::Database::write_file($file, "email,name\na\@example.org,A\n");
    chmod 0600, $file;
    for my $command (['user', 'import', $file], ['group', 'add-member', 'Staff', '--file', $file]) {
        my $result = $roster->ctl(@$command);
        is $result->{status}, 5, "@$command: the file is read, and MariaDB is asked for" or diag $result->{err};
        $result = $roster->ctl(map { $_ eq $file ? "$file.not" : $_ } @$command);
        is $result->{status}, 1, '... in this order' or diag $result->{err};
    }
    $roster->finish;
};

done_testing;
