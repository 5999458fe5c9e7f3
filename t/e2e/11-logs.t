# Logs: the request's id from nginx to the client, slow requests, JSON, rotation, a full disk, and that nobody can forge
# a line.
use v5.36;

use JSON::PP ();
use Test::More;
use Time::HiRes ();

use Roster;

my $roster = Roster->new(config => {slow_request => '300ms', last_active_interval => '1d'});
my $admin = $roster->add_user(role => 'admin', last_active_at => time);

subtest 'the id of a request' => sub {
    my $answer =
        $roster->get("/users/$admin->{id}", $admin, client => '203.0.113.9', headers => {'X-Request-Id' => 'forged'});
    my $id = $answer->{headers}{'x-request-id'};
    like $id, qr/^[0-9a-f]{32}$/, 'is made by nginx, whatever the client sends, and once';
    ok $roster->wait_log(qr/^203\.0\.113\.9 .* $id "/m, 'nginx-access'),
        "stands in nginx's log";    # which nginx writes behind the answer
    my $line = $roster->access_line($answer);
    is_deeply [@{$line}{qw(client method path route status caller code)}],
        ['203.0.113.9', 'GET', "/users/$admin->{id}", 'user_get', 200, $admin->{id}, '-'],
        "in the worker's, with who asked for what";
    is $line->{bytes}, length $answer->{body}, 'how long the answer was';
    ok $line->{statements} >= 1 && $line->{microseconds} > 0, 'and what it took';
    isnt $roster->get('/ping')->{headers}{'x-request-id'}, $id, 'the next one has another';
    for my $case (
        [GET => '/users/', 401, 'NOT_AUTHENTICATED', 'users_list'],
        [GET => '/nothing', 404, 'PATH_NOT_FOUND', '-'],
        [TRACE => '/users/', 405, 'METHOD_NOT_ALLOWED'])
    {
        my ($method, $path, $status, $code, $route) = @$case;
        $answer = $roster->request($method => $path);
        like $answer->{headers}{'x-request-id'}, qr/^[0-9a-f]{32}$/, "$method $path has one";
        next if !$route;
        $line = $roster->access_line($answer);
        is_deeply [@{$line}{qw(status code route caller)}], [$status, $code, $route, '-'],
            'the line says what was wrong';
    }

    # Errors too: a statement that MariaDB refuses.
    $roster->sql('RENAME TABLE `user` TO elsewhere');
    $answer = $roster->get("/users/$admin->{id}", $admin);
    $roster->sql('RENAME TABLE elsewhere TO `user`');
    is_problem $answer, 500, 'INTERNAL_ERROR', 'a failure of ours';
    my $head = qr{\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[error\] \d+#api};
    my $tail = qr/while authenticate, client: 127\.0\.0\.1, request: $answer->{headers}{'x-request-id'}/;
    ok $roster->wait_log(qr/^$head: .* $tail$/m), 'is found by the id that the client got';

    # Another server in front may send none.
    my $direct = $roster->fastcgi('api', {REQUEST_METHOD => 'GET', REQUEST_URI => '/ping'});
    like $direct->{headers}{'x-request-id'}, qr/^[0-9a-f]{32}$/, 'a worker makes one where none comes';
    is $roster->access_line($direct)->{route}, 'ping', 'and logs it';
};

subtest 'slow requests' => sub {
    unlike $roster->log_text, qr/slow request/, 'there was none yet';
    my $sql = Roster::Database->connect($roster->socket_path('mariadb'));
    $sql->run('LOCK TABLES `user` WRITE');
    my $result = in_background(sub {
        my $answer = $roster->get("/users/$admin->{id}", $admin);
        return "$answer->{status} $answer->{headers}{'x-request-id'}";
    });
    Time::HiRes::sleep(0.6);
    $sql->run('UNLOCK TABLES');
    my ($status, $id) = split ' ', $result->();
    is $status, 200, 'a request that waited';
    ok $roster->wait_log(qr/slow request.*$id/), 'is logged';
    my ($line) = $roster->log_text =~ /^(.*slow request.*)$/m;
    my $statement = qr/\[1 time, \d+\.\d ms\] SELECT [^;]+ FROM `?user`? [^;]+/;
    my $head = qr/\[warning\] \d+#api: slow request: user_get, \d+ ms; \d+ statements? in [\d.]+ ms/;
    like $line, qr/$head: $statement.* while \w+, client: 127\.0\.0\.1, request: $id$/,
        'with its statements, the costliest first'
        or diag $line;
    my ($took, $count) = $line =~ /user_get, (\d+) ms; (\d+) statement/;
    ok $took >= 400, 'its time';
    my ($first) = $line =~ /\[1 time, ([\d.]+) ms\]/;
    ok $first > 0.8 * $took, 'which was that of the first statement';
    my $shown = 0;
    $shown += $_ for $line =~ /\[(\d+) times?,/g;
    is $shown, $count, 'and none is missing';
    unlike $line, qr/$admin->{id}|$admin->{email}/, 'no value stands there';
};

# What an attacker can write into a log through nginx: paths, methods and addresses are escaped there and here.
my @paths = (
    '/a%0Ab', '/%22%20status=200%20x=%22', '/%5C%22', '/%C3%A9%FF',
    '/a=b', '/' . '%1b' x 100, '/"quote"', "/caf\xc3\xa9",
    "/\xff\xfe", '/a\\b', '/' . 'x' x 3000, '/{}[]<>');

subtest 'nobody forges a line' => sub {
    my @answers = map { $roster->get($_) } @paths;
    for my $number (0 .. $#paths) {
        my $line = $roster->access_line($answers[$number]);
        is_deeply [@{$line}{qw(status route)}], [404, '-'], 'a line for ' . substr $paths[$number], 0, 40;
    }
    my $text = $roster->log_text('roster-access');
    my $form = qr/^time=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\ request=\S+\ client=\S+\ method=\S+
        \ path=(?:"(?:[^"\\]|\\.)*"|[^\s"]+)\ route=\S+\ status=\d+\ code=\S+\ caller=\S+
        \ microseconds=\d+\ statements=\d+\ bytes=\d+(?:\ account=\S+)?$/x;
    is scalar(grep { !/$form/ } split /\n/, $text), 0, 'every line is of the one form';
    unlike $text, qr/[^\n -~\x80-\xff]/, 'without control characters';
};

subtest 'rotation' => sub {
    my ($access, $error) = map { "$roster->{directory}/log/roster-$_.log" } qw(access error);
    rename $_, "$_.1" or die "$_: $!\n" for $access, $error;
    $roster->get('/before');
    ok wait_until(10, sub { Roster::Database::slurp("$access.1") =~ / path=\/before / }), 'lines go on to the old file';
    $roster->process('roster')->signal('USR1');
    ok $roster->wait_log(qr/the logs were reopened/), 'USR1 opens a new one';
    ok wait_until(
        10, sub { $roster->get('/after'); (() = $roster->log_text('roster-access') =~ / path=\/after /g) > 3 }
        ),
        'for workers, too';
    for (1 .. 10) { $roster->get('/last') }
    ok wait_until(10, sub { (() = $roster->log_text('roster-access') =~ / path=\/last /g) == 10 }), 'all of them';
    unlike Roster::Database::slurp("$access.1"), qr/last/, 'and nothing goes to the old one';
    is + (stat $access)[2] & 07777, 0640 & ~umask, 'its mode';
    is $roster->running('roster'), 1, 'the service goes on';
};

subtest 'JSON' => sub {
    my $stack = Roster->new(config => {log_format => 'json', log_level => 'debug', slow_request => '1ms'});
    my $user = $stack->add_user;
    my @answers = map { $stack->get($_) } @paths;
    push @answers, $stack->get("/users/$user->{id}", $user), $stack->sign_in('x"y', password => 'wrong password');
    $stack->process('roster')->signal('HUP');
    ok $stack->wait_log(qr/reload: done/), 'a reload';
    my %by_id;
    is $stack->access_line($answers[-1])->{code}, 'INVALID_CRED', 'the line of the last request';
    for my $name (qw(roster-access roster-error)) {
        my @lines = split /\n/, $stack->log_text($name);
        ok @lines >= ($name =~ /access/ ? @answers : 3), "$name has lines";
        my @bad = grep {
            !eval { JSON::PP->new->utf8->decode($_) }
        } @lines;
        is_deeply \@bad, [], 'each is JSON';
        my @objects = map { JSON::PP->new->utf8->decode($_) } @lines;
        is scalar(grep { $_->{time} !~ /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/ } @objects), 0, 'with a time';
        if ($name eq 'roster-access') {
            $by_id{$_->{request}} = $_ for @objects;
            my @keys = qw(bytes caller client code method microseconds path request route statements status time);
            is
                scalar(grep { join(' ', sort keys %$_) ne join ' ', ($_->{route} eq 'sign_in' ? 'account' : ()), @keys }
                    @objects),
                0, 'and the same members, but for a sign-in';
            like((grep { $_->{route} eq 'sign_in' } @objects)[0]{account},
                qr/^hmac:[0-9a-f]{16}$/, '... which tells of whom');
        }
        else {
            is scalar(
                grep {
                           $_->{severity} !~ /^(?:error|warning|notice|info|debug)$/
                        || !length $_->{message}
                        || $_->{pid} !~ /^\d+$/
                } @objects
                ),
                0, 'severity, process and text';
        }
    }
    is_deeply [map { $by_id{$_->{headers}{'x-request-id'}}{status} } @answers], [map { $_->{status} } @answers],
        'each request is there';
    is $by_id{$answers[6]{headers}{'x-request-id'}}{path}, '/"quote"', 'a path with quotes';
    is $by_id{$answers[9]{headers}{'x-request-id'}}{path}, '/a\\b', 'and with a backslash';
    $stack->finish;
};

subtest 'a full disk' => sub {
    my $stack = Roster->new(
        without => [qw(mariadb redis)],
        config => {access_log => '/dev/full', error_log => '/dev/full', log_level => 'debug'},
        password => {max_requests => 2});
    is scalar(grep { $_->{status} == 200 } map { $stack->get('/ping') } 1 .. 20), 20, 'stops no request';
    $stack->process('roster')->signal('HUP');
    ok wait_until(10, sub { my $status = $stack->status; $status && $status->{reloads} == 1 }), 'nor a reload';
    is $stack->stop('roster'), 0, 'nor the end';
    $stack->finish;
};

done_testing;
