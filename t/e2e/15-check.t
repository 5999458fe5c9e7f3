# roster -t: each finding about users, files, Redis and nginx, what it says, and whether it fails the check. Those about
# MariaDB are where MariaDB is; those about root's paths in 14-root.t.
use v5.36;

use POSIX ();
use Test::More;

use Roster;

my $roster = Roster->new(start => 0);
$roster->start(qw(mariadb redis));
my $directory = $roster->{directory};
my $is_root = $> == 0;
Roster::Database::write_file("$directory/file", "text\n");

# -t with these directives, in the first part or of a pool: [exit status, what it said].
sub check (%changes) {
    my %pools = map { ($_ => delete $changes{$_} // {}) } qw(api password);
    local $roster->{options}{config} = \%changes;
    local @{$roster->{options}}{qw(api password)} = @pools{qw(api password)};
    $roster->write_configuration;
    my ($status, $text) = $roster->run_program('roster', '-c', $roster->config_file, '-t');
    return ($status >> 8, $text);
}

my ($status, $text) = check();
is $status, 0, 'a good one' or diag $text;
like $text, qr/^roster: \S+ and what it names are good$/m, 'is said to be good';
like $text, qr/^roster: MariaDB .+ answers$/m, 'MariaDB answers';
like $text, qr/^roster: Redis answers$/m, 'so does Redis';
is scalar(() = $text =~ /: error: /g), 0, 'without errors';
is_deeply [$text =~ /: warning: (.*)/g],
    [$is_root ? 'user is empty: workers of a master that root starts run as root' : ()],
    'and no warning but root\'s own'
    if $text !~ /MariaDB's|nginx/;

# [what, the changes, the line, 'error' or 'warning'].
my @findings = (
    [
        'a user that is not there',
        {user => 'no-such-user'},
        qr/user: there is no user 'no-such-user': create it, or set another/,
        $is_root ? 'error' : 'warning'
    ],
    [
        'a group that is not there',
        {group => 'no-such-group'},
        qr/group: there is no group 'no-such-group': create it, or set another/,
        $is_root ? 'error' : 'warning'
    ],
    [
        "a socket's owner",
        {api => {listen_owner => 'no-such-user'}},
        qr/\[api\] listen_owner: there is no user 'no-such-user'/, 'error'
    ],
    [
        "a socket's group",
        {password => {listen_group => 'no-such-group'}},
        qr/\[password\] listen_group: there is no group 'no-such-group'/, 'error'
    ],
    (
        map {
            my $name = $_;
            [
                "$name in a directory that is not there",
                {$name => "$directory/nowhere/x.log"},
                qr/$name: \S+\/nowhere\/x\.log can't be written: No such file or directory/, 'error'
            ]
        } qw(error_log access_log)
    ),
    [
        'a pid file in a directory that is not there',
        {pid_file => "$directory/nowhere/x.pid"},
        qr/pid_file: the directory \S+\/nowhere does not exist \(yet\): No such file/,
        'warning'
    ],
    [
        'a pid file in what is no directory',
        {pid_file => "$directory/file/x.pid"},
        qr/pid_file: \S+\/file is not a directory/,
        'error'
    ],
    [
        'a socket in a directory that is not there',
        {password => {listen => "$directory/nowhere/x.sock"}},
        qr/listen: the directory \S+\/nowhere does not exist \(yet\): No such file/,
        'warning'
    ],
    [
        'a socket in what is no directory',
        {api => {listen => "$directory/file/x.sock"}},
        qr/listen: \S+\/file is not a directory/,
        'error'
    ],
    [
        'a certificate that is not there',
        {database_tls_ca => "$directory/nowhere.pem"},
        qr/database_tls_ca: \S+\/nowhere\.pem can't be read: No such file or directory/,
        'error'
    ],
    ['a pattern that is none', {password_pattern => '('}, qr/password_pattern is not a valid PCRE2 pattern: /, 'error'],
    [
        'no Redis',
        {redis_socket => "$directory/nowhere.sock"},
        qr/Redis can't be reached: .*; without it no session can be revoked before it expires/,
        'warning'
    ],
    [
        'no Redis, which is required',
        {redis_socket => "$directory/nowhere.sock", redis_required => 'yes'},
        qr/Redis can't be reached, and redis_required is yes: /,
        'error'
    ]);
for my $finding (@findings) {
    my ($what, $changes, $line, $kind) = @$finding;
    ($status, $text) = check(%$changes);
    like $text, qr/^roster: \S+: $kind: $line/m, "$what: $kind";
    is $status, $kind eq 'error' ? 1 : 0, '... ' . ($kind eq 'error' ? 'fails the check' : 'does not fail the check')
        or diag $text;
    like $text,
        $kind eq 'error' ? qr/can't be used as it is: see the errors above$/m : qr/and what it names are good$/m,
        '... and the last line says which';
}

SKIP: {
    skip 'only where the caller is not root do modes count for the caller', 2 if $is_root;
    mkdir "$directory/closed", 0500 or die;
    ($status, $text) = check(error_log => "$directory/closed/x.log");
    like $text, qr/: error: error_log: \S+ can't be written: Permission denied/,
        'a log in a directory where nobody writes';
    is $status, 1, '... fails the check';
}

SKIP: {
    skip 'only root has another user for the workers', 7 if !$is_root;
    # What root could do says nothing about what the workers can.
    chmod 0755, $directory;
    Roster::Database::write_file("$directory/ca.pem", 'x');
    chmod 0600, "$directory/ca.pem";
    my %other = (user => 'nobody', database_tls_ca => "$directory/ca.pem");
    like + (check(%other))[1], qr/: error: database_tls_ca: \S+ can't be read: Permission denied/,
        'a certificate that the workers can\'t read';
    chmod 0644, "$directory/ca.pem";
    unlike + (check(%other))[1], qr/database_tls_ca/, '... and one that they can';
    mkdir "$directory/others" or die;
    chown 1, 1, "$directory/others";
    ($status, $text) = check(user => 'nobody', access_log => "$directory/others/x.log");
    like $text, qr/: error: access_log: the workers' user nobody can't write \S+\/others\/x\.log: Permission denied/,
        'a log in a directory of somebody else\'s';
    is $status, 1, '... fails the check';

    # nginx's files are looked for in /etc alone: this process gets another one.
    my $upstream = "$directory/upstream.conf";
    my $in_etc = sub ($content, $program = 'roster', $argument = '-t') {
        Roster::Database::write_file($upstream, $content);
        $roster->write_configuration;
        my @commands = (
            'mount -t tmpfs none /etc/nginx',
            'mkdir /etc/nginx/snippets',
            "cp $upstream /etc/nginx/snippets/roster-upstream.conf",
            "exec $Roster::build/$program -c " . $roster->config_file . " $argument");
        my $script = join ' && ', @commands;
        return `unshare --mount sh -c '$script' 2>&1`;
    };
    skip 'this machine has no mount namespaces, or no nginx', 3
        if !-d '/etc/nginx' || system('unshare --mount true 2>/dev/null') != 0;
    local $roster->{options}{config} = {};
    my (undef, $good) = $roster->rosterctl('nginx', 'upstream', '--templates', "$Roster::source/nginx");
    unlike $in_etc->($good), qr/does not pass requests/, "nginx's files as they should be";
    my $passes = qr{/etc/nginx/snippets/roster-upstream\.conf does not pass requests};
    like $in_etc->($good =~ s/password\.sock/elsewhere.sock/gr),
        qr{warning: $passes to \S+/password\.sock, where pool password listens: .*`rosterctl nginx upstream'},
        '... and where a socket is missing';
    my @lines = grep { m{/password\.sock} && /nginx/ }
        split /^/, $in_etc->($good =~ s/password\.sock/elsewhere.sock/gr, 'rosterctl', 'doctor');
    is_deeply [map { /^(\w+ +\w+)/ } @lines], ['error    nginx'], 'doctor says so once' or diag @lines;
}

# ---- As systemd starts the service ----

# The unit is read as systemd reads it; here the service is started as it would be. What -t calls good starts; what it
# calls an error does not.
SKIP: {
    skip 'only root may become another user', 1 if !$is_root;
    my ($uid, $gid) = (getpwnam 'nobody')[2, 3];
    chmod 0755, $directory;
    mkdir "$directory/$_" or die for qw(units units/roster.service.d units/roster.socket.d own locked);
    chown $uid, $gid, "$directory/own";
    for my $name (qw(secret.key database.password)) {
        chown 0, $gid, "$directory/$name";
        chmod 0640, "$directory/$name";
    }
    # A copy, as nobody may be kept from where this one is.
    system('cp', "$Roster::build/roster", "$directory/roster") == 0 or die;
    chmod 0755, "$directory/roster";
    local $ENV{SYSTEMD_UNIT_PATH} = "/nowhere:$directory/units";
    my $unit = sub ($name, $text) { Roster::Database::write_file("$directory/units/$name", $text) };
    $unit->('roster.service', "[Service]\nUser=root\nExecStart=/usr/sbin/roster -c " . $roster->config_file . "\n");
    $unit->('roster.service.d/own.conf', "# ours\n[Service]\nUser = nobody\n");
    $unit->('roster.socket', "[Socket]\nListenStream=$directory/elsewhere.sock\n");
    my %good = (
        error_log => "$directory/own/error.log",
        access_log => "$directory/own/access.log",
        pid_file => "$directory/own/roster.pid",
        user => 'nobody',
        map { ($_ => {listen => "$directory/own/$_.sock"}) } qw(api password));
    my $start = sub {
        my $pid = open my $out, '-|';
        if (!$pid) {
            open STDERR, '>&', \*STDOUT;
            $) = "$gid $gid";
            $( = $gid;
            ($<, $>) = ($uid, $uid);
            exec "$directory/roster", '-c', $roster->config_file, '-d' or POSIX::_exit(127);
        }
        my $said = do { local $/ = undef; readline $out };
        close $out;
        my $result = $? >> 8;
        if ($result == 0) {
            my $master = 0 + Roster::Database::slurp("$directory/own/roster.pid");
            kill 'QUIT', $master;
            wait_until(30, sub { !kill 0, $master }) or die "roster does not end\n";
        }
        return ($result, $said // '');
    };
    my @cases = (
        ['as it should be', sub { chmod 0644, $roster->config_file }, {}, undef],
        [
            "a roster.conf of root's",
            sub { chmod 0600, $roster->config_file },
            {}, qr/roster\.conf: \S+ can't be read: Permission denied; .* chmod go\+r it/
        ],
        [
            "a log of root's",
            sub {
                Roster::Database::write_file("$directory/locked/error.log", '');
                chmod 0600, "$directory/locked/error.log";
                chmod 0644, $roster->config_file;
            },
            {error_log => "$directory/locked/error.log"},
            qr/error_log: nobody can't write \S+: Permission denied; \S+roster\.service starts the service as that user: chown nobody/
        ],
        [
            "a key of root's",
            sub { chmod 0600, "$directory/secret.key" },
            {},
            qr/secret_key_file: \S+ can't be read: Permission denied; systemd starts .* leave the directive unset/
        ],
        [
            'a socket elsewhere',
            sub { chmod 0640, "$directory/secret.key" },
            {api => {listen => "$directory/locked/api.sock"}},
            qr/listen: \S+\/api\.sock is no socket of roster\.socket, and nobody can't make it: let ListenStream=/
        ],
        [
            'a socket of roster.socket',
            sub {
                my @lines = map { "ListenStream=$directory/locked/$_.sock\n" } qw(api api-write directory status);
                $unit->('roster.socket.d/more.conf', join '', "[Socket]\nListenStream=\n", @lines);
            },
            {api => {listen => "$directory/locked/api.sock"}},
            undef,
            'systemd'
        ],
        [
            'a socket that a drop-in takes back',
            sub { },
            {api => {listen => "$directory/elsewhere.sock"}},
            qr/listen: \S+\/elsewhere\.sock is no socket of roster\.socket/
        ]);
    for my $case (@cases) {
        my ($what, $prepare, $changes, $pattern, $by_systemd) = @$case;
        $prepare->();
        my ($result, $said) = check(%good, %$changes);
        is $result, defined $pattern ? 1 : 0, "$what: -t " . (defined $pattern ? 'fails' : 'calls it good')
            or diag $said;
        like $said, qr/: error: $pattern/, '... with what to do' if defined $pattern;
        next if $by_systemd;
        ($result, my $told) = $start->();
        is $result, defined $pattern ? 1 : 0, '... and the service ' . (defined $pattern ? 'does not start' : 'starts')
            or diag $told;
    }
    Roster::Database::write_file("$directory/units/roster.service",
        "[Service]\nUser=nobody\nExecStart=/usr/sbin/roster\n");
    unlike + (check(%good, error_log => "$directory/locked/error.log"))[1], qr/roster\.service starts/,
        'a unit with another configuration does not count';
}

done_testing;
