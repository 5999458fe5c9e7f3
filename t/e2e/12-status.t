# /status in its three forms, /ping and /ready: that the numbers are those of what happened, and that they are there
# when it goes badly.
use v5.36;

use IO::Socket::UNIX;
use JSON::PP qw(decode_json);
use POSIX ();
use Socket ();
use Test::More;
use Time::HiRes ();

use Roster;
use Roster::Tables;

my $roster = Roster->new(api => {workers => 3}, password => {listen_backlog => 10});
my $admin = $roster->add_user(role => 'admin');

# The samples of Prometheus' text: name{labels} => value. Dies where the text is not as the format wants it
# (https://prometheus.io/docs/instrumenting/exposition_formats): one head a metric, its samples in one piece behind it,
# none twice.
sub samples ($text) {
    die "does not end in a line end\n" if $text !~ /\n\z/;
    my (%sample, %type, %helped, $metric);
    for my $line (split /\n/, $text) {
        if ($line =~ /^# HELP ([a-z_]+) \S.*$/) { die "$1 has two heads\n" if $helped{$1}++; $metric = $1 }
        elsif ($line =~ /^# TYPE ([a-z_]+) (counter|gauge|histogram)$/) {
            die "$1: TYPE without HELP\n" if $metric ne $1;
            $type{$1} = $2;
        }
        elsif ($line =~ /^(([a-z_]+)(?:\{[a-z]+="[^"\\\n]*"(?:,[a-z]+="[^"\\\n]*")*\})?) (-?[0-9.]+(?:e[-+][0-9]+)?)$/)
        {
            my ($key, $name, $value) = ($1, $2, $3);
            my $base = $type{$metric} eq 'histogram' ? $name =~ s/_(?:bucket|sum|count)$//r : $name;
            die "$name stands among those of $metric\n" if $base ne $metric;
            die "$name is a counter without _total\n" if $type{$metric} eq 'counter' && $name !~ /_total$/;
            die "$key is there twice\n" if exists $sample{$key};
            $sample{$key} = $value;
        }
        else { die "no line of the format: $line\n" }
    }
    return \%sample;
}

sub prometheus () {
    my $answer = $roster->get('/status?format=prometheus');
    is $answer->{headers}{'content-type'}, 'text/plain; version=0.0.4; charset=utf-8', 'the type of the format';
    my $samples = eval { samples($answer->{body}) };
    ok $samples, 'a text in the format' or diag $@;
    return ($samples // {}, $answer->{body});
}

# The exit status of `rosterctl check', and its line.
sub check (@arguments) {
    my ($status, $line) = $roster->rosterctl('check', @arguments);
    return ($status >> 8, $line);
}

subtest 'what happened is counted' => sub {
    my $before = $roster->status;
    $roster->get("/users/$admin->{id}", undef, token => $admin->{token}) for 1 .. 5;
    $roster->get('/users/nobody', undef, token => $admin->{token}) for 1 .. 2;
    $roster->get("/users/$admin->{id}");
    $roster->get('/nothing') for 1 .. 3;
    $roster->sign_in($admin->{email}, password => 'wrong password');
    $roster->request(POST => '/auths/signin', json => {});
    # The answer is out before it is counted.
    ok wait_until(5, sub { $roster->status->{routes}{sign_in}{statuses}{422} }), 'the last one is there';
    my $status = $roster->status;
    my $routes = $status->{routes};
    is_deeply $routes->{user_get}{statuses}, {200 => 5, 400 => 2, 401 => 1}, 'a route, by status';
    is_deeply $routes->{none}{statuses}, {404 => 3}, 'those without a route';
    is_deeply $routes->{sign_in}{statuses}, {400 => 1, 422 => 1}, 'those of the other pool';
    ok $routes->{user_get}{microseconds} > 0, 'with their time';
    ok !exists $routes->{group_get}, 'what nobody asked for is left out';
    ok $status->{statements} >= $before->{statements} + 8, 'statements';
    ok $status->{statement_microseconds} > $before->{statement_microseconds}, 'and their time';
    is $status->{$_}, 0, $_ for qw(reloads reload_failures worker_deaths rate_limited);
    is $status->{generation}, 1, 'the first configuration';
    is $status->{mariadb}, 'present', 'MariaDB';
    is $status->{redis}, 'present', 'Redis';
    my $sum = 0;
    $sum += $_ for map { values %{$_->{statuses}} } values %$routes;
    is $status->{requests}, $sum, 'the sum of all routes is that of all requests';
    for my $pool (@Roster::POOLS) {
        my $numbers = $status->{pools}{$pool};
        my $times = 0;
        $times += $_->{requests} for @{$numbers->{latency}};
        is $times, $numbers->{requests}, "$pool: each request is in the histogram";
        is $numbers->{waiting}, 0, "$pool: nobody waits";
        is $numbers->{starting} + $numbers->{leaving}, 0, "$pool: nobody starts or leaves";
        is $numbers->{with_database}, $numbers->{idle} + $numbers->{busy}, "$pool: all have a connection to MariaDB";
    }
    is $status->{pools}{api}{idle} + $status->{pools}{api}{busy}, 3, 'the workers of api';
    is $status->{pools}{api}{busy}, 0, 'none of them answers this';
    is $status->{pools}{status}{busy}, 1, 'but the one that is there for it';
    is $status->{pools}{status}{saturation}, 1, 'all of them';
    is $status->{pools}{password}{saturation}, 0, 'the password pool has nothing to do';
    is $status->{pools}{password}{waiting_most}, 10, 'so many may wait there';
    is_deeply [@{$status->{pools}{password}}{qw(second_waiting second_waiting_most)}], [0, 10],
        'and at its second socket';
    is_deeply [@{$status->{pools}{directory}}{qw(second_waiting second_waiting_most)}], [undef, undef],
        'where there is one';
    my ($own) = grep { $_->{state} eq 'busy' } @{$status->{workers}};
    is $own->{route}, 'status', 'the worker that answers says so itself';
    like $own->{request}, qr/^[0-9a-f]{32}$/, 'with the id of the request';
    is_deeply [sort { $a <=> $b } map { $_->{pid} } @{$status->{workers}}], [$roster->workers], 'the list of workers';
};

subtest 'Prometheus' => sub {
    my ($samples, $text) = prometheus();
    is $samples->{'roster_requests_total{route="user_get",code="200"}'}, 5, 'requests by route and code';
    is $samples->{'roster_workers{pool="status",state="busy"}'}, 1, 'workers by state';
    is $samples->{'roster_waiting_connections{pool="password"}'}, 0, 'the queue';
    is $samples->{'roster_pool_saturation{pool="password"}'}, '0.000', 'the saturation';
    is $samples->{roster_mariadb_up}, 1, 'MariaDB';
    is $samples->{roster_redis_up}, 1, 'Redis';
    my $status = $roster->status;
    is $samples->{'roster_build_info{version="' . $status->{version} . '"}'}, 1, 'the version';
    my $started = $samples->{process_start_time_seconds};
    ok $started <= time && abs(time - $status->{uptime_seconds} - $started) < 60, 'when the master started';
    # What each process has of its own, and what they share, once.
    my ($own, $shared) = (0, 0);
    for my $pid ($status->{master}, $roster->workers) {
        my (undef, $resident, $common) = split ' ', Roster::Database::slurp("/proc/$pid/statm");
        $own += $resident - $common;
        $shared = $common if $common > $shared;
    }
    my $bytes = ($own + $shared) * POSIX::sysconf(POSIX::_SC_PAGESIZE());
    cmp_ok abs($samples->{process_resident_memory_bytes} / $bytes - 1), '<', 0.2, 'memory, of all';
    cmp_ok $status->{resident_bytes}, '>', 4e6, '... also in JSON';
    cmp_ok $samples->{process_cpu_seconds_total}, '<=', $status->{cpu_microseconds} / 1e6, 'processor time';
    ok !exists $samples->{roster_answers_total}, 'no two metrics for one thing';
    for my $pool (@Roster::POOLS) {
        my ($last, $ascends) = (0, 1);
        for (grep { /^roster_request_seconds_bucket\{pool="$pool"/ } split /\n/, $text) {
            my ($value) = / (\d+)$/;
            $ascends &&= $value >= $last;
            $last = $value;
        }
        ok $ascends, "$pool: the buckets ascend";
        is $last, $samples->{"roster_request_seconds_count{pool=\"$pool\"}"}, "$pool: up to the count";
        ok $samples->{"roster_request_seconds_sum{pool=\"$pool\"}"} > 0, "$pool: and the sum is there";
    }
    my ($promtool) = grep { -x } map { "$_/promtool" } split /:/, $ENV{PATH};
    if ($promtool) {
        Roster::Database::write_file("$roster->{directory}/metrics", $text);
        is qx{$promtool check metrics <$roster->{directory}/metrics 2>&1}, '', 'promtool has nothing to say';
    }
};

subtest 'the form that is asked for' => sub {
    my %form = (
        text => qr{^text/plain; charset},
        json => qr{^application/json\b},
        prometheus => qr{^text/plain; version=0\.0\.4;});
    my @cases = (
        [undef, undef, 'text'],
        ['*/*', undef, 'text'],
        ['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', undef, 'text'],
        ['application/json', undef, 'json'],
        ['text/plain;q=0.2, application/json', undef, 'json'],
        ['text/plain;version=0.0.4', undef, 'prometheus'],
        ['image/png', undef, 'text'],
        [
            'application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.4,*/*;q=0.1',
            undef, 'prometheus'
        ],
        ['application/json', 'text', 'text'],
        ['application/json', 'prometheus', 'prometheus'],
        ['text/plain', 'json', 'json'],
        ['application/json', 'nothing', 'text']);
    for my $case (@cases) {
        my ($accept, $format, $form) = @$case;
        my $answer = $roster->get('/status' . (defined $format ? "?format=$format" : ''),
            undef, headers => [defined $accept ? (Accept => $accept) : ()]);
        like $answer->{headers}{'content-type'}, $form{$form},
            ($format // 'no format') . ', Accept: ' . ($accept // 'none') . ": $form";
        is(
            scalar(grep { $_ eq 'Accept' } split /, /, $answer->{headers}{vary} // ''),
            defined $format ? 0 : 1,
            '... and caches are told what it depends on');
    }
};

subtest 'text' => sub {
    for my $path ('/status', '/status?format=text', '/status/') {
        my $answer = $roster->get($path);
        is $answer->{headers}{'content-type'}, 'text/plain; charset=utf-8', "$path is text";
        like $answer->{body},
            qr/^mariadb: present\nredis: present\ndirectory: ready\nidentity_table: off\n  hits: 0\n/m,
            'with the state';
        like $answer->{body}, qr/^  user_get: 8, [\d.]+ ms on average: 5 × 200 2 × 400 1 × 401$/m, 'routes';
        like $answer->{body}, qr/^  \d+ status: busy, \d+ requests; \d+ ms: status, handle, request [0-9a-f]{32}$/m,
            'and workers';
    }
    is $roster->get('/status', undef, headers => {'If-None-Match' => '*'})->{headers}{'cache-control'}, 'no-store',
        'it is not kept anywhere';
    my ($status, $text) = $roster->rosterctl('status');
    is $status, 0, 'rosterctl status';
    like $text, qr/^user_get\s+8\s+3\s+0\s/m, 'shows the routes';
    like $text, qr/^api\s+3\s/m, 'and the pools';
};

subtest 'the directory' => sub {
    ok wait_until(10, sub { $roster->status->{directory} eq 'ready' }), 'it is ready';
    $roster->get('/users/', undef, token => $admin->{token});
    my $status = $roster->status;
    is $status->{directory_users}, $roster->sql('SELECT COUNT(*) FROM user'), 'and has all users';
    cmp_ok $status->{directory_bytes}, '<', 100_000, 'in little memory';
    cmp_ok $status->{directory_loaded_at}, '>', time - 3600, 'since just now';
    cmp_ok $status->{directory_load_microseconds}, '>', 0, 'which took a moment';
    is $status->{directory_losses}, 0, 'nothing of it was lost';
    my ($samples) = prometheus();
    is $samples->{roster_directory_ready}, 1, 'Prometheus has it';
    is $samples->{roster_directory_users}, $status->{directory_users}, 'and its users';
    like + ($roster->rosterctl('status'))[1],
        qr/^The directory is ready: $status->{directory_users} users in 0\.\d MB$/m,
        'rosterctl status has them, too';
};

subtest 'accounts and sessions' => sub {
    my $second = $roster->add_user(role => 'user');
    $roster->add_user(role => 'pending') for 1 .. 2;
    my $token = $roster->new_session($second);
    $roster->sql('INSERT INTO session (jti, user_id, expires_at, revoked_at) VALUES (?, ?, ?, ?)', @$_)
        for ['revoked', $second->{id}, time + 1000, time], ['expired', $second->{id}, time - 1, undef];
    # What is quick to count is counted again soon.
    my $counts = sub {
        my $now = $roster->status->{accounts};
        join ' ', map { "$_=$now->{$_}" } sort keys %$now;
    };
    ok wait_until(60, sub { $counts->() eq 'admin=1 pending=2 user=1' }), 'accounts by role' or diag $counts->();
    ok wait_until(60, sub { $roster->status->{sessions} == 1 }), 'a session';
    my ($samples) = prometheus();
    is $samples->{'roster_accounts{role="pending"}'}, 2, 'Prometheus has them';
    is $samples->{roster_sessions}, 1, '... and the session';
    ok wait_until(60, sub { $roster->status->{active_users} == 1 }), 'who was active';
    is + (prometheus())[0]{roster_active_users}, 1, '... for Prometheus, too';
    is $samples->{roster_schema_version}, $roster->sql('SELECT MAX(number) FROM schema_migration'),
        '... and the tables';
    like $roster->get('/status')->{body},
        qr/^accounts_pending: 2\naccounts_user: 1\naccounts_admin: 1\nactive_users: 1\nsessions: 1\n/m,
        'the text, too';
    like + ($roster->rosterctl('status'))[1], qr/^Accounts: 1 administrators, 1 users, 2 pending; 1 valid sessions; /m,
        'and rosterctl';
    $roster->get('/auths/signout', $token);
    ok wait_until(60, sub { $roster->status->{sessions} == 0 }), 'a session that was ended does not count';
};

subtest 'the last backup' => sub {
    is $roster->status->{last_backup_at}, undef, 'none';
    ok !exists +(prometheus())[0]{roster_last_backup_timestamp_seconds}, '... which Prometheus sees';
    my $stamp = "$roster->{directory}/last-backup";
    Roster::Database::write_file($stamp, '');
    utime 1_700_000_000, 1_700_000_000, $stamp or die "utime: $!\n";
    is $roster->status->{last_backup_at}, 1_700_000_000, 'one';
    my ($samples, $text) = prometheus();
    is $samples->{roster_last_backup_timestamp_seconds}, 1_700_000_000, 'and for Prometheus';

    # All metrics are there now: monitoring/ names no others.
    my %type = $text =~ /^# TYPE (\w+) (\w+)$/mg;
    for my $file ('roster.rules.yml', 'grafana.json') {
        my $rules = Roster::Tables::slurp("$Roster::Tables::source/monitoring/$file");
        my %named = map { ($_ => 1) }
            map { /\b((?:roster|process)_\w+)/g } $rules =~ /\bexpr"?: *(.*(?:\n +(?:sum|\/|histo).*)*)/g;
        cmp_ok scalar(keys %named), '>', 10, "$file names metrics";
        for my $name (keys %named) {
            my $base = $name =~ s/_bucket$//r;
            is !!exists $type{$base}, !!1, "$file: $name exists";
            is $base ne $name, ($type{$base} // '') eq 'histogram', '... and is what it is taken for';
        }
    }
    my ($state, $line) = check('--backup-age', '1d');
    is $state, 2, 'rosterctl check --backup-age says that it is old';
    like $line, qr/^ROSTER CRITICAL - the last backup was made \d+ hours ago \|.* backup_age=\d+s;86400;172800;0 /,
        '... and since when';
    utime time - 1.5 * 86400, time - 1.5 * 86400, $stamp;
    is + (check('--backup-age', '1d'))[0], 1, 'a warning, where it is less old';
    is + (check('--backup-age', '2d'))[0], 0, 'good, where it may be older';
    unlink $stamp;
    ($state, $line) = check('--backup-age', '1d');
    is $state, 1, 'none is a warning';
    like $line, qr/there is no sign of a backup: \Q$stamp\E/, '... with the file that was looked for';
    is + (check('--backup-age', 'soon'))[0], 3, 'an age that is none is UNKNOWN';
};

subtest 'rosterctl check' => sub {
    my ($state, $line) = check;
    is $state, 0, 'all is well';
    like $line, qr/^ROSTER OK - roster \S+, up \d+ h, requests: \d+ \| api_waiting=0;\d+;\d+;0;\d+ /, 'in one line';
    my ($figures) = $line =~ /\| (.*)$/m;
    is_deeply [grep { !/^[a-z_]+=\d+(?:s|c|B)?(?:;\d*){0,4}$/ } split / /, $figures], [],
        'the figures have the form of the plugins';
    is scalar(() = $line =~ /\n/g), 1, 'nothing else';
    is decode_json(($roster->rosterctl('check', '--json'))[1])->{state}, 'OK', 'in JSON, too';
    ($state, $line) = check('-c', "$roster->{directory}/nothing.conf");
    is $state, 3, 'without a configuration it is UNKNOWN';
    like $line, qr/^ROSTER UNKNOWN - .*nothing\.conf/, '... with the reason';
    for my $typed (['check', '--backup-agee', '26h'], ['--bogus', 'check'], ['check', 'now'], ['check', '--backup-age'])
    {
        is + ($roster->rosterctl(@$typed))[0] >> 8, 3, "a wrong command line is UNKNOWN, not CRITICAL: @$typed";
    }
    is + ($roster->rosterctl('status', 'now'))[0] >> 8, 2, '... of other commands it is 2';
};

subtest 'a queue' => sub {
    my ($worker) = $roster->workers('password');
    kill 'STOP', $worker;
    my @waiting;
    for my $count (1 .. 7) {
        push @waiting,
            IO::Socket::UNIX->new(Type => Socket::SOCK_STREAM(), Peer => $roster->socket_path('password'))
            // die "connect: $!\n";
        my $pool = $roster->status->{pools}{password};
        is $pool->{waiting}, $count, "$count wait";
        is $pool->{saturation}, $count, '... for one worker';
    }
    is $roster->status->{pools}{api}{waiting}, 0, 'at the one pool alone';
    like $roster->get('/status')->{body},
        qr/^pool password:.*?  waiting: 7\n  waiting_most: 10\n  saturation: 7\.00\n/ms,
        'in the text too';
    is + (prometheus())[0]{'roster_waiting_connections{pool="password"}'}, 7, 'and for Prometheus';

    # The queue is full: what comes then is refused at once, and everything else is still answered.
    while (@waiting < 100) {
        socket my $socket, Socket::AF_UNIX(), Socket::SOCK_STREAM() | Socket::SOCK_NONBLOCK(), 0 or die "socket: $!\n";
        connect $socket, Socket::pack_sockaddr_un($roster->socket_path('password')) or last;
        push @waiting, $socket;
    }
    is scalar @waiting, 11, 'one more than the limit, as Linux has it';
    is $roster->status->{pools}{password}{waiting}, scalar @waiting, 'all places are taken';
    my ($state, $line) = check;
    is $state, 2, 'rosterctl check: critical';
    like $line, qr/^ROSTER CRITICAL - 11 of 10 places of the queue of pool password are taken \|/,
        '... with the reason';
    my $answer = $roster->sign_in($admin->{email}, password => 'wrong password');
    is_problem $answer, 503, 'UNAVAILABLE', 'a sign-in is told to come back';
    is $answer->{headers}{'retry-after'}, 5, 'in a while';
    is $roster->get("/users/$admin->{id}", undef, token => $admin->{token})->{status}, 200, 'others notice nothing';
    @waiting = ();
    kill 'CONT', $worker;
    ok wait_until(10, sub { $roster->status->{pools}{password}{waiting} == 0 }), 'then it empties';
};

subtest 'for this machine only' => sub {
    for my $path ('/status', '/status?format=json', '/status?format=prometheus', '/ping', '/ready', '/api/v1/ready',
        '/ready/')
    {
        is_problem $roster->get($path, undef, client => '203.0.113.7'), 404, 'PATH_NOT_FOUND',
            "$path from elsewhere is nothing";
    }
    is_problem $roster->request(POST => '/status', client => '203.0.113.7', body => 'x'), 404, 'PATH_NOT_FOUND',
        'whatever the method';
    is $roster->get('/ping', undef, client => $_)->{body}, "pong\n", "/ping from $_" for '127.0.0.1', '::1';
    is $roster->get(
        '/ping', undef,
        headers => {'X-Forwarded-For' => '127.0.0.1', 'X-Real-IP' => '127.0.0.1'},
        client => '203.0.113.7'
    )->{status}, 404, 'a header field does not help';
};

subtest 'reloads and deaths' => sub {
    my $before = $roster->status;
    $roster->process('roster')->signal('HUP');
    ok wait_until(10, sub { (my $now = $roster->status)->{reloads} == 1 && @{$roster->status->{workers}} == 6 }),
        'a reload is counted';
    is + (check)[0], 0, 'rosterctl check: good';
    is $roster->status->{generation}, 2, 'and the number of the configuration grows';
    ok $roster->status->{routes}{user_get}{statuses}{200} >= 5, 'counters outlive workers';
    my $file = $roster->config_file;
    my $good = Roster::Database::slurp($file);
    Roster::Database::write_file($file, "workerz = 2\n$good");
    $roster->process('roster')->signal('HUP');
    ok wait_until(10, sub { $roster->status->{reload_failures} == 1 }), 'so is one that failed';
    my ($state, $line) = check('-c', $file);
    is $state, 3, 'rosterctl check can\'t read it';
    Roster::Database::write_file($file, $good);
    ($state, $line) = check;
    is $state, 1, 'and warns';
    like $line, qr/^ROSTER WARNING - the last reload failed, and the old configuration stays: .*workerz/, '... why';
    my ($worker) = $roster->workers('password');
    kill 'KILL', $worker;
    ok wait_until(
        10, sub { my $now = $roster->status; $now->{worker_deaths} == 1 && $now->{pools}{password}{idle} == 1 }
        ),
        'and a death, and the one who follows';
};

subtest 'status_allow' => sub {
    $roster->reconfigure(status_allow => '203.0.113.0/28 2001:db8:1::/48');
    is $roster->get($_, undef, client => '203.0.113.7')->{status}, 200, "$_ for a network of status_allow"
        for '/status', '/status?format=prometheus', '/ping', '/ready';
    is $roster->get('/status', undef, client => '2001:db8:1::5')->{status}, 200, 'of IPv6, too';
    is $roster->request(POST => '/status', client => '203.0.113.7', body => 'x')->{status}, 405,
        'and they learn the methods';
    is_problem $roster->get('/status', undef, client => $_), 404, 'PATH_NOT_FOUND', "not for $_"
        for '203.0.113.16', '198.51.100.1', '2001:db8:2::5';
    for my $field ('X-Forwarded-For', 'Forwarded') {
        is_problem $roster->get('/status', undef, client => '203.0.113.7', headers => [$field => '203.0.113.8']), 404,
            'PATH_NOT_FOUND', "nor for those behind a proxy that real_ip does not know: $field";
    }
    is $roster->get('/status')->{status}, 200, 'this machine still may';

    # What nginx sends where real_ip has put the client's address into REMOTE_ADDR.
    my $ask = sub ($peer, $client, @more) {
        return $roster->fastcgi('status', [REQUEST_URI => '/status', PEER_ADDR => $peer, REMOTE_ADDR => $client, @more])
            ->{status};
    };
    my @forwarded = (HTTP_X_FORWARDED_FOR => '203.0.113.2');
    is $ask->('203.0.113.1', '203.0.113.2', @forwarded), 200, 'through a proxy that is allowed itself';
    is $ask->('127.0.0.1', '203.0.113.2', @forwarded), 200, '... or runs on this machine';
    is $ask->('198.51.100.1', '203.0.113.2', @forwarded), 404, 'not through any other one, whatever it says';
    is $ask->('203.0.113.1', '198.51.100.1', @forwarded), 404, 'nor for any client of such a proxy';
    is $ask->('203.0.113.1', '127.0.0.1', @forwarded), 404, 'nor for one that claims to be this machine';
    is $ask->('127.0.0.1', '::1', @forwarded), 404, '... also behind a proxy that runs here';
    is $ask->('203.0.113.1', '203.0.113.1', HTTP_X_FORWARDED_FOR => '', @forwarded), 404,
        'an empty field in front of it hides nothing';
    is $ask->('', '203.0.113.2'), 200, 'without a peer address the client is the peer';
    is $ask->('', undef), 404, 'without any address it is nobody';
    is $ask->('unix:', 'unix:'), 404, 'nor is a socket an address';
    $roster->reconfigure(status_allow => undef);
    is_problem $roster->get('/status', undef, client => '203.0.113.7'), 404, 'PATH_NOT_FOUND', 'a reload takes it back';
};

subtest 'without MariaDB' => sub {
    is_deeply $roster->get('/ready')->{json}, {ready => JSON::PP::true(), redis => JSON::PP::true()}, 'ready before';
    my $dead = $roster->stop('mariadb');
    for (1 .. 6) {
        my $answer = $roster->get('/ready');
        is_problem $answer, 503, 'UNAVAILABLE', '/ready is 503';
        is $answer->{headers}{'retry-after'}, 1, 'for a second';
        is $roster->get('/ping')->{status}, 200, '/ping is not';
    }
    my $status = $roster->status;
    is $status->{mariadb}, 'away', 'the status says it';
    is $status->{redis}, 'present', 'and that Redis is there';
    is + (prometheus())[0]{roster_mariadb_up}, 0, 'Prometheus is told';
    like $roster->get('/status')->{body}, qr/^mariadb: away$/m, 'and people';
    my ($state, $line) = check;
    is $state, 2, 'rosterctl check: critical';
    like $line, qr/^ROSTER CRITICAL - MariaDB: away/, '... with the reason';
    $roster->on_each_worker('api', sub { $roster->get("/users/$admin->{id}", undef, token => $admin->{token}) });
    ok wait_until(10, sub { $roster->status->{pools}{api}{with_database} == 0 }), 'no worker of api has a connection';
    $roster->start('mariadb');
    ok wait_until(10, sub { $roster->get('/ready')->{status} == 200 }), 'ready again when it is back';
    is $roster->status->{mariadb}, 'present', 'and the status says it';
    like $roster->log_text, qr/MariaDB is back/, 'the log too';
};

subtest 'MariaDB hangs' => sub {
    # New workers, each with a connection, and nothing left to do: one that still looks after revocations, since MariaDB
    # was away, would hang in that, and take no request.
    $roster->reconfigure;
    $roster->on_each_worker('api', sub { $roster->get("/users/$admin->{id}", undef, token => $admin->{token}) });
    is $roster->status->{pools}{api}{with_database}, 3, 'all of api have a connection';
    $roster->pause('mariadb');
    my $started = Time::HiRes::time();
    is $roster->get('/status')->{status}, 200, '/status answers all the same';
    is $roster->get('/ping')->{status}, 200, '/ping too';
    ok Time::HiRes::time() - $started < 1 * $Roster::Process::patience, 'at once';

    # All of api hang in it, which none of them knows yet.
    my @hanging = map {
        my $socket = $roster->open_connection;
        syswrite $socket, Roster::Http::compose(GET => "/users/$admin->{id}", token => $admin->{token});
        $socket;
    } 1 .. 3;
    ok wait_until(5, sub { $roster->status->{pools}{api}{busy} == 3 }),
        'all workers of api wait for it, which /status shows';
    $started = Time::HiRes::time();
    is_problem $roster->get('/ready'), 503, 'UNAVAILABLE', '/ready is 503';
    ok Time::HiRes::time() - $started < 3 * $Roster::Process::patience, 'in a few seconds';
    is $roster->get('/status')->{status}, 200, '/status still answers' for 1 .. 3;
    is $roster->status->{mariadb}, 'away', 'and says that MariaDB is away';
    is $roster->status->{pools}{api}{busy}, 3, 'while the others go on waiting';
    $roster->resume('mariadb');
    for my $socket (@hanging) { is Roster::Http::exchange($socket, '')->{status}, 200, 'until it goes on' }
    ok wait_until(10, sub { $roster->get('/ready')->{status} == 200 }), 'ready';
};

subtest 'without Redis' => sub {
    $roster->stop('redis');
    is_deeply $roster->get('/ready')->{json}, {ready => JSON::PP::true(), redis => JSON::PP::false()},
        'ready all the same';
    is $roster->status->{redis}, 'away', 'but the status says it';
    is + (prometheus())[0]{roster_redis_up}, 0, 'and Prometheus is told';
    my ($state, $line) = check;
    is $state, 1, 'rosterctl check: a warning';
    like $line, qr/^ROSTER WARNING - .*Redis: away/, '... with the reason';
    $roster->reconfigure(redis_required => 'yes');
    is_problem $roster->get('/ready'), 503, 'UNAVAILABLE', 'not ready';
    is + (check)[0], 2, 'which is critical';
    $roster->start('redis');
    ok wait_until(10, sub { $roster->get('/ready')->{status} == 200 }), 'until it is back';
    $roster->reconfigure(redis_required => undef, redis_socket => '');
    is $roster->status->{redis}, 'off', 'off, where none is configured';
    ok !exists +(prometheus())[0]{roster_redis_up}, 'then there is nothing to watch';
};

done_testing;
