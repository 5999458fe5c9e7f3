# The door to the password pool: what never waits there, who goes first, how often one account and one address may be
# tried, and nginx's limits as we ship them.
use v5.36;

use IO::Select;
use IO::Socket::INET;
use Test::More;
use Roster;

my $roster = Roster->new(
    door => 1,
    password => {listen_backlog => 256},
    config => {rate_limit_sign_in_email => 6, last_active_interval => '1d'});
my $admin = $roster->add_user(role => 'admin', created_at => 1_000_000);
my $user = $roster->add_user(email => 'somebody@example.org');
my $password = 'a password of some length';

# Sends a request and does not wait for the answer.
sub begin ($client, $method, $target, %options) {
    my $socket = $roster->open_connection(client => $client);
    syswrite $socket, Roster::Http::compose($method, $target, %options);
    return $socket;
}

sub begin_sign_in ($client, $email, %options) {
    return begin($client, POST => '/auths/signin', json => {email => $email, password => 'not the password'}, %options);
}
sub answer_of ($socket) { return Roster::Http::exchange($socket, '') }

sub device_of ($answer) {
    return ((grep { /^roster_device=/ } @{$answer->{set_cookie}})[0] // '') =~ /^roster_device=(\w+)/ ? $1 : undef;
}
sub cookie ($device) { return (headers => [Cookie => "roster_device=$device"]) }

# Runs $code while no hash is made: requests that need one wait.
sub while_closed ($code) {
    my @workers = $roster->workers('password');
    kill 'STOP', @workers;
    wait_until(
        10,
        sub {
            !grep { Roster::Database::slurp("/proc/$_/stat") !~ /\) T / } @workers;
        }
    ) or die "the workers go on\n";
    my @result = eval { $code->() };
    my $error = $@;
    kill 'CONT', @workers;
    die $error if $error;
    return @result;
}
sub access_lines ($pattern) { return scalar(() = $roster->log_text('roster-access') =~ /$pattern/g) }
sub failures () { return scalar(() = $roster->log_text =~ /sign-in failed/g) }

# A window must not roll while a test counts.
sub enter_minute ($seconds = 20) {
    my $left = 60 - time % 60;
    sleep $left if $left < $seconds;
    $roster->redis('FLUSHALL');
    return;
}

my $device;
subtest 'through both workers' => sub {
    my $answer = $roster->sign_in($user->{email}, client => '192.0.2.1');
    is $answer->{status}, 200, 'a sign-in' or diag $answer->{body};
    like $answer->{headers}{ratelimit}, qr/^"sign_in";r=\d+;t=\d+$/,
        'has the header fields of the limit that the first worker counted';
    like $answer->{headers}{'ratelimit-policy'}, qr/^"sign_in";q=\d+;w=180$/, 'and its policy';
    is $answer->{headers}{'cache-control'}, 'no-store', 'one Cache-Control';
    is $answer->{headers}{$_}, undef, "no $_" for qw(x-accel-redirect x-roster-admission);
    ok $device = device_of($answer), 'and a cookie for the device';
    my ($id) = $answer->{headers}{'x-request-id'};
    ok $roster->wait_log(qr/request=$id /, 'roster-access'), 'it is logged';
    is access_lines(qr/request=$id /), 1, 'once';
    my $count = sub { $roster->status->{routes}{sign_in}{requests} // 0 };
    my $statuses = sub { $roster->status->{routes}{sign_in}{statuses}{200} };
    my $before = $statuses->();
    $roster->sign_in($user->{email}, client => '192.0.2.1');
    ok wait_until(5, sub { $statuses->() == $before + 1 }), 'and counted once';
    my $body = {email => $user->{email}, password => $Roster::PASSWORD, more => 'x' x 3_900_000};
    is $roster->request(POST => '/auths/signin', json => $body, client => '192.0.2.1')->{status}, 200,
        'a body of nearly four megabytes goes both ways';
    is $roster->request(POST => '/auths/signin', json => $body, client => '192.0.2.1', chunked => 100_000)->{status},
        200, 'in chunks, too';
    is $roster->request(
        POST => '/api/v1/auths/signin/',
        json => {email => $user->{email}, password => $Roster::PASSWORD},
        client => '192.0.2.1'
    )->{status}, 200, 'by its other path';
    is $roster->post('/auths/add', $admin, {name => 'New', email => 'added@example.org', password => $password})
        ->{status}, 200, 'an account that is added';
    is $roster->post(
        "/users/$user->{id}/update",
        $admin,
        {
            role => 'user',
            name => 'Some Body',
            email => $user->{email},
            profile_image_url => '',
            password => $Roster::PASSWORD
        }
    )->{status}, 200, 'a password that an administrator sets';
    is $roster->sign_in($user->{email}, client => '192.0.2.1')->{status}, 200, 'which works';
    my $token = $roster->sign_in($user->{email}, client => '192.0.2.1')->{json}{token};
    is $roster->post('/auths/update/password', $token,
        {password => $Roster::PASSWORD, new_password => $Roster::PASSWORD})->{status}, 200,
        'and one that its owner sets';
    is $roster->request(
        POST => '/auths/signup',
        json => {name => 'New', email => 'signed.up@example.org', password => $password},
        client => '192.0.2.2'
    )->{status}, 200, 'a sign-up';
};

subtest 'what needs no hash does not wait for one' => sub {
    my $settings = $roster->settings($admin);
    $roster->post('/auths/admin/config', $admin, {%$settings, ENABLE_SIGNUP => JSON::PP::false()});
    my $plain = $roster->add_user;
    while_closed(sub {
        my @waiting = map { begin_sign_in("192.0.2.$_", 'nobody@example.org') } 20 .. 24;
        my %wrong = (name => 'N', email => 'n@example.org', password => $password);
        is_problem $roster->request(POST => '/auths/signup', json => \%wrong), 403, 'ACCESS_PROHIBITED',
            'a sign-up that is closed';
        is_problem $roster->request(POST => '/auths/signin', json => {email => 5}), 422, 'VALIDATION_ERROR',
            'a body that is none';
        is_problem $roster->request(POST => '/auths/add', json => \%wrong), 401, 'NOT_AUTHENTICATED', 'nobody';
        is_problem $roster->post('/auths/add', $plain, \%wrong), 401, 'ACCESS_PROHIBITED', 'somebody who may not';
        is_problem $roster->post('/auths/add', $admin, {%wrong, email => $user->{email}}),
            400, 'EMAIL_TAKEN', 'an address that is taken';
        is_problem $roster->post('/auths/add', $admin, {%wrong, password => 'short'}),
            400, 'INVALID_PASSWORD', 'a password that may not be';
        is_problem $roster->request(POST => '/users/nobody/update', body => ' ' x 4_000_000), 401, 'NOT_AUTHENTICATED',
            'nobody, with four megabytes';
        is $roster->post("/users/$user->{id}/update", $admin,
            {role => 'user', name => 'Somebody', email => $user->{email}, profile_image_url => '', password => ''})
            ->{status}, 200, 'a change without a password';
        is $roster->request(OPTIONS => '/auths/signin')->{status}, 204, 'OPTIONS';
        is $roster->get('/auths/signin')->{status}, 405, 'another method';
        ok !IO::Select->new(@waiting)->can_read(0), 'while those who need one wait';
    });
    $roster->post('/auths/admin/config', $admin, $settings);
};

subtest 'who goes first' => sub {
    enter_minute;
    my $elsewhere = $roster->add_user(email => 'elsewhere@example.org');
    my $there = $roster->sign_in($elsewhere->{email}, client => '198.51.100.1');
    is $there->{status}, 200, 'somebody else signs in from a place';
    ok $roster->wait_log(qr/request=$there->{headers}{'x-request-id'} /, 'roster-access'), 'which is logged';
    is $roster->sql('SELECT COUNT(*) FROM known_network WHERE user_id = ?', $elsewhere->{id}), 1,
        'which is remembered before the answer comes';
    # The order in which they are answered is that of the log.
    my $before = length $roster->log_text('roster-access');
    my @ask = (
        (map { [stranger => "192.0.2.$_", "guess$_\@example.org"] } 31 .. 36),
        [device => '192.0.2.40', $user->{email}, cookie($device)],
        [place => '198.51.100.1', $elsewhere->{email}],
        [other => '198.51.100.1', $user->{email}],
        [forged => '192.0.2.41', $user->{email}, cookie($device =~ s/.$/$& eq '0' ? '1' : '0'/er)],
        [wrong => '192.0.2.42', $elsewhere->{email}, cookie($device)]);
    my @sockets;
    while_closed(sub {
        for my $who (@ask) {
            my ($name, $client, $email, @options) = @$who;
            push @sockets, begin_sign_in($client, $email, @options);
            # each has passed the first worker before the next one comes
            ok wait_until(5, sub { @{$roster->redis('KEYS', "*:$client:*")} }), "$name from $client waits";
        }
        ok !IO::Select->new(@sockets)->can_read(0.2), 'nobody has an answer yet';
    });
    is statuses(map { answer_of($_) } @sockets), join(' ', (400) x @ask), 'all are answered';
    ok wait_until(5, sub { (() = substr($roster->log_text('roster-access'), $before) =~ /route=sign_in/g) == @ask }),
        'and logged';
    my @order = substr($roster->log_text('roster-access'), $before) =~ /client=(\S+) .*route=sign_in/g;
    my %place = map { ($order[$_] => $_) } reverse 0 .. $#order;
    is_deeply [sort @order[0, 1]], ['192.0.2.40', '198.51.100.1'],
        'a device and a place that are known to the account are first'
        or diag "@order";
    cmp_ok $place{$_}, '>', 1, "$_ is a stranger" for qw(192.0.2.31 192.0.2.36 192.0.2.41 192.0.2.42);
};

subtest 'an hour, and a month' => sub {
    my $at = sub {
        $roster->sql(q{SELECT last_at FROM known_network WHERE user_id = ? AND network = '192.0.2.1'}, $user->{id});
    };
    my $now = $at->();
    $roster->sql('UPDATE known_network SET last_at = ? WHERE user_id = ?', $now - 600, $user->{id});
    $roster->sign_in($user->{email}, client => '192.0.2.1');
    is $roster->sign_in($user->{email}, client => '192.0.2.1')->{status}, 200, 'a sign-in soon after another';
    is $at->(), $now - 600, 'writes nothing';
    $roster->sql('UPDATE known_network SET last_at = ? WHERE user_id = ?', $now - 7200, $user->{id});
    $roster->sign_in($user->{email}, client => '192.0.2.1');
    ok wait_until(5, sub { $at->() >= $now }), 'one after an hour does';
    is $roster->sign_in($user->{email}, client => '2001:db8:7:8:9::1')->{status}, 200, 'by IPv6';
    ok wait_until(
        5,
        sub {
            $roster->sql(q{SELECT COUNT(*) FROM known_network WHERE user_id = ? AND network = '2001:db8:7:8::/64'},
                $user->{id});
        }
        ),
        'the network is remembered';
    is $roster->sql(
        'SELECT address FROM session WHERE user_id = ? ORDER BY created_at DESC, address DESC LIMIT 1',
        $user->{id}
        ),
        '2001:db8:7:8:9::1', 'the session has the whole address';
    my $queue = sub () {
        my $params = {
            REQUEST_METHOD => 'POST',
            REQUEST_URI => '/auths/signin',
            CONTENT_TYPE => 'application/json',
            REMOTE_ADDR => '192.0.2.1',
            ROSTER_HAND_OVER => 'on'
        };
        return $roster->fastcgi('api', $params,
            JSON::PP::encode_json({email => $user->{email}, password => 'not the password'}))
            ->{headers}{'x-accel-redirect'};
    };
    $roster->sql('UPDATE known_network SET last_at = ? WHERE user_id = ?', time - 30 * 86400 + 600, $user->{id});
    is $queue->(), '@roster_password_first', 'nearly thirty days ago is lately';
    $roster->sql('UPDATE known_network SET last_at = ? WHERE user_id = ?', time - 30 * 86400 - 1, $user->{id});
    is $queue->(), '@roster_password', 'more is not';
    my %old = map { ($_ => 1) } $roster->workers;
    $roster->process('roster')->signal('HUP');
    ok wait_until(
        15,
        sub {
            $roster->get('/users/', $admin);
            !$roster->sql('SELECT COUNT(*) FROM known_network WHERE user_id = ?', $user->{id});
        }
        ),
        'and is forgotten';
    wait_until(
        15,
        sub {
            !grep { $old{$_} } $roster->workers;
        });
    my $gone = $roster->add_user;
    $roster->sign_in($gone->{email}, client => '192.0.2.1');
    ok wait_until(5, sub { $roster->sql('SELECT COUNT(*) FROM known_network WHERE user_id = ?', $gone->{id}) }),
        'somebody who is deleted';
    is $roster->ask(DELETE => "/users/$gone->{id}", $admin)->{status}, 200, '... goes';
    is $roster->sql('SELECT COUNT(*) FROM known_network WHERE user_id = ?', $gone->{id}), 0, 'with all places';
};

subtest 'one account from many addresses' => sub {
    enter_minute;
    my $target = $roster->add_user(email => 'target@example.org');
    my $mine = $roster->sign_in($target->{email}, client => '192.0.2.70');
    is $mine->{status}, 200, 'somebody signs in';
    ok wait_until(5, sub { $roster->sql('SELECT COUNT(*) FROM known_network WHERE user_id = ?', $target->{id}) }),
        'from a place';
    my $before = failures();
    my %outcomes;
    my @sockets = map { begin_sign_in("203.0.113.$_", $_ % 2 ? $target->{email} : uc $target->{email}) } 1 .. 60;
    $outcomes{$_->{status}}++ for map { answer_of($_) } @sockets;
    is_deeply \%outcomes, {400 => 6, 429 => 54}, 'sixty tries at once, from sixty addresses: six are looked at'
        or diag explain \%outcomes;
    is failures() - $before, 6, 'as the log has it';
    is $roster->redis('GET', (grep { /rate_limit_sign_in_email:target/ } @{$roster->redis('KEYS', '*target*')})[0]), 6,
        'what was refused does not count: so the next window has as many again';
    my $late = $roster->sign_in($target->{email}, client => '203.0.113.99');
    is_problem $late, 429, 'RATE_LIMIT_EXCEEDED',
        'whoever comes from yet another is refused, with the right password too';
    cmp_ok $late->{headers}{'retry-after'}, '>', 0, 'and told when to come back';
    is $roster->sign_in($target->{email}, client => '192.0.2.70')->{status}, 200,
        'but not who comes from a place that is known';
    is $roster->sign_in($target->{email}, client => '203.0.113.98', cookie(device_of($mine)))->{status}, 200,
        'or by a device that is';
    is_problem $roster->sign_in($target->{email}, client => '203.0.113.97', cookie($device)), 429,
        'RATE_LIMIT_EXCEEDED',
        'the device of another account is none';
    is $roster->sign_in($user->{email}, client => '203.0.113.1')->{status}, 200, 'other accounts are free';
    is_problem $roster->sign_in('nobody.target@example.org', client => '203.0.113.1'), 400, 'INVALID_CRED',
        'and what is no account';
    my %nobody;
    $nobody{$_->{status}}++
        for map { answer_of($_) } map { begin_sign_in("203.0.113.$_", 'no.account@example.org') } 1 .. 20;
    is_deeply \%nobody, {400 => 6, 429 => 14}, 'an account that is none is counted the same';
};

subtest 'sign-ins that succeed are no failures' => sub {
    enter_minute;
    my $traveller = $roster->add_user(email => 'traveller@example.org');
    is statuses(map { $roster->sign_in($traveller->{email}, client => "203.0.113.$_") } 1 .. 15), join(' ', (200) x 15),
        'fifteen in a row from fifteen places';
    is $roster->redis(
        'GET', (grep { /rate_limit_sign_in_email:traveller/ } @{$roster->redis('KEYS', '*traveller*')})[0]
        ),
        0, 'none of them counts';
};

subtest 'a device' => sub {
    enter_minute(30);
    my $owner = $roster->add_user(email => 'owner@example.org');
    my $first = $roster->sign_in($owner->{email}, client => '192.0.2.80');
    my $own = device_of($first);
    is statuses(map { answer_of($_) } map { begin_sign_in('192.0.2.81', $owner->{email}) } 1 .. 5),
        '400 400 400 400 400', 'a stranger tries';
    $roster->redis('SET', 'open-webui:ratelimit:rate_limit_sign_in:owner@example.org:192.0.2.81:' . int(time / 60), 15);
    is_problem $roster->sign_in($owner->{email}, client => '192.0.2.81'), 429, 'RATE_LIMIT_EXCEEDED',
        'until nothing is left for the address';
    my $answer = $roster->sign_in($owner->{email}, client => '192.0.2.81', cookie($own));
    is $answer->{status}, 200, 'the device has tries of its own, at the same address';
    like $answer->{headers}{ratelimit}, qr/^"sign_in";r=14;/, 'and is told of those';
    my ($key) = grep { /rate_limit_sign_in_device/ } @{$roster->redis('KEYS', '*')};
    unlike $key, qr/owner|$owner->{id}/, 'its counter names nobody';
    $roster->redis('SET', $key, 15);
    is_problem $roster->sign_in($owner->{email}, client => '192.0.2.81', cookie($own)), 429, 'RATE_LIMIT_EXCEEDED',
        'when they are used up it is a stranger';
    is $roster->sign_in($owner->{email}, client => '192.0.2.82', cookie($own))->{status}, 200,
        'with a stranger\'s tries';
    my $second = $roster->sign_in($user->{email}, client => '192.0.2.83', cookie($own));
    my $both = device_of($second);
    isnt $both, $own, 'another account on the same device';
    cmp_ok length $both, '>', length $own, 'stands in the same cookie';
    my $out = $roster->request(
        GET => '/auths/signout',
        token => $second->{json}{token},
        headers => [Cookie => "roster_device=$both; token=$second->{json}{token}"]);
    is scalar(grep { /^roster_device=/ } @{$out->{set_cookie}}), 0, 'signing out leaves it';
    like join(' ', @{$roster->sign_in($owner->{email}, client => '192.0.2.80', https => 0)->{set_cookie}}),
        qr/roster_device=\w+; Max-Age=31536000; Path=\/; HttpOnly; SameSite=lax/, 'its attributes';
    is device_of($roster->sign_in($owner->{email}, client => '192.0.2.81', cookie('0' x 146)) // {set_cookie => []}),
        undef,
        'a refusal sets none';
};

subtest 'a client cannot say that it was admitted' => sub {
    enter_minute;
    my @forged = map { ($_ => '1 0 0 0 0 0 -') } 'Roster-Admission', 'ROSTER-ADMISSION', 'X-Roster-Admission',
        'Roster-Hand-Over';
    is $roster->sign_in($user->{email}, client => '192.0.2.90', headers => \@forged)->{status}, 200,
        'header fields of that name';
    ok scalar @{$roster->redis('KEYS', '*192.0.2.90*')}, 'change nothing: it is counted';
    my $params = {
        REQUEST_METHOD => 'POST',
        REQUEST_URI => '/auths/signin',
        CONTENT_TYPE => 'application/json',
        REMOTE_ADDR => '192.0.2.91'
    };
    my $body = JSON::PP::encode_json({email => $user->{email}, password => $Roster::PASSWORD});
    for my $pool (qw(api password)) {
        is $roster->fastcgi($pool, $params, $body)->{status}, 200,
            "a web server that knows nothing of it: $pool does all by itself";
    }
    my ($key) = grep { /rate_limit_sign_in:.*192\.0\.2\.91/ } @{$roster->redis('KEYS', '*192.0.2.91*')};
    is $roster->redis('GET', $key), 2, 'and counts';
    my $handed = $roster->fastcgi('api', {%$params, ROSTER_HAND_OVER => 'on'}, $body);
    is $handed->{headers}{'x-accel-redirect'}, '@roster_password_first', 'a place that is known'
        or diag explain $handed;
    is $roster->fastcgi('api', {%$params, ROSTER_HAND_OVER => 'on', REMOTE_ADDR => '192.0.2.92'}, $body)
        ->{headers}{'x-accel-redirect'}, '@roster_password', 'and one that is not';
    is $roster->fastcgi('password', {%$params, ROSTER_HAND_OVER => 'on'}, $body)->{status}, 200,
        'a worker that hashes hands nothing on';
    my $admitted = sub ($value) {
        my $count = $roster->redis('GET', $key) // 0;
        is $roster->fastcgi('password', {%$params, ROSTER_ADMISSION => $value}, $body)->{status}, 200,
            "handed over with '$value'";
        return $roster->redis('GET', $key) - $count;
    };
    is $admitted->($handed->{headers}{'x-roster-admission'}), 0, 'is not counted again';
    is $admitted->($_), 1, 'is' for '', 'nonsense', '1 1 1';
};

subtest 'a client that leaves is not hashed for' => sub {
    my $before = failures();
    my $left = access_lines(qr/client=192\.0\.2\.13\d .*route=sign_in status=499 /);
    while_closed(sub {
        my @sockets = map { begin_sign_in("192.0.2.13$_", 'nobody@example.org') } 0 .. 4;
        ok wait_until(5, sub { @{$roster->redis('KEYS', '*nobody@example.org:192.0.2.13*')} == 5 }), 'five wait';
        close $_ for @sockets;
        ok wait_until(5, sub { (() = $roster->log_text('nginx-access') =~ /^192\.0\.2\.13\d .* 499 /mg) == 5 }),
            'and leave';
    });
    ok wait_until(5, sub { access_lines(qr/client=192\.0\.2\.13\d .*route=sign_in status=499 /) == $left + 5 }),
        'the worker finds them gone';
    is failures(), $before, 'and looks at no password';
};

# ---- nginx's limits ----

# How many of these answer at once, and how many wait, while no hash is made.
sub count_refused (@begin) {
    my ($refused, $waiting) = (0, 0);
    my @sockets;
    while_closed(sub {
        for my $begin (@begin) {
            my $socket = $begin->();
            push @sockets, $socket;
            my $ready =
                IO::Select->new($socket)->can_read($refused || @sockets > 19 ? 0.5 * $Roster::Process::patience : 0.02);
            if ($ready) {
                my $answer = answer_of($socket);
                $refused++
                    if $answer->{status} == 429
                    && $answer->{headers}{'retry-after'} =~ /^\d+$/
                    && $answer->{json}{code} eq 'RATE_LIMIT_EXCEEDED';
                pop @sockets;
            }
        }
        $waiting = @sockets;
    });
    answer_of($_) for @sockets;
    return "$waiting wait, $refused refused";
}

subtest 'connections of one address at nginx' => sub {
    my $number = 0;
    my $from = sub ($client, %options) {
        my $email = 'c' . $number++ . '@example.org';
        return sub { begin_sign_in($client, $email, %options) }
    };
    is count_refused(map { $from->('198.51.100.20') } 1 .. 23), '20 wait, 3 refused', 'twenty of one stranger';
    is count_refused(map { $from->("2001:db8:1:2:$_") }
            qw(:1 :2 3:: 3:4:5:6 :ffff:1 0:0:0:7 8:9:a:b :192.0.2.1 1:: f:f:f:f),
        (map { ":$_" } 3 .. 14)),
        '20 wait, 2 refused', 'an IPv6 /64 is one';
    is count_refused(
        map { $from->($_) }
            qw(
            2001:db8::1 2001:db8:0:1::1 ::1 ::2:0:0:0:1 2001:db8:1:2:3:4:5:6 2001:db8:1:3:: 64:ff9b:: fe80::1
            1::8 2::8 3::8 1:0:0:2::8
            )
        ),
        '12 wait, 0 refused', 'others are others';
    is count_refused(map { $from->($_ % 2 ? '198.51.100.21' : '::ffff:198.51.100.21') } 1 .. 22), '20 wait, 2 refused',
        'IPv4 in IPv6 is IPv4';
    is count_refused(map { $from->('198.51.100.22', cookie($device)) } 1 .. 32), '30 wait, 2 refused',
        'thirty of a device that says that it is known';
    is count_refused(
        (map { $from->('198.51.100.23') } 1 .. 20),
        map { $from->('198.51.100.23', cookie($device)) } 1 .. 11
        ),
        '30 wait, 1 refused', '... the strangers of its address counted';
    is count_refused((map { $from->('198.51.100.24') } 1 .. 21), $from->('198.51.100.24', cookie($device))),
        '21 wait, 1 refused', 'which finds place beside them';
};

# One request after the other, so that connections have no limit, until one is refused.
sub ask_until_refused ($ask) {
    my @answers;
    for (1 .. 500) {
        push @answers, $ask->();
        last if $answers[-1]{status} == 429;
    }
    return @answers;
}

subtest 'requests of one address at nginx' => sub {
    my $started = time;
    my @answers =
        ask_until_refused(sub { $roster->request(POST => '/auths/signin', json => {}, client => '198.51.100.30') });
    my %outcomes;
    $outcomes{in_short($_)}++ for @answers;
    cmp_ok $outcomes{'422 VALIDATION_ERROR'} // 0, '>=', 101, 'a burst goes through';
    cmp_ok $outcomes{'422 VALIDATION_ERROR'} // 0, '<=', 102 + 10 * (time - $started + 1), 'and ten a second';
    ok $outcomes{'429 RATE_LIMIT_EXCEEDED'}, 'then it is slowed down' or diag explain \%outcomes;
    is_deeply [sort keys %outcomes], ['422 VALIDATION_ERROR', '429 RATE_LIMIT_EXCEEDED'], 'and nothing else';
    is + (grep { $_->{status} == 429 } @answers)[0]{headers}{'retry-after'}, 5, 'with Retry-After';
    is $roster->request(POST => '/auths/signin', json => {}, client => '198.51.100.30', cookie($device))->{status},
        422, 'a device that is known is not';
    is $roster->request(GET => '/users/', client => '198.51.100.30')->{status}, 401, 'nor is anything else';
};

subtest 'what only those do who have signed in' => sub {
    my %body = (json => {role => 'user', name => 'N', email => 'n@example.org', profile_image_url => ''});
    my %outcomes;
    $outcomes{$_->{status}}++
        for ask_until_refused(sub { $roster->request(POST => '/users/nobody/update', client => '198.51.100.31', %body) }
        );
    is_deeply [sort keys %outcomes], [401, 429], 'without a token there is a limit' or diag explain \%outcomes;
    my %admin;
    $admin{$_->{status}}++
        for map { answer_of($_) }
        map { begin('198.51.100.31', POST => '/users/nobody/update', token => $admin->{token}, %body) } 1 .. 90;
    is_deeply \%admin, {400 => 90}, "an administrator's program may change ninety people at once"
        or diag explain \%admin;
};

subtest 'Redis is away' => sub {
    enter_minute;
    $roster->stop('redis');
    my $target = $roster->add_user(email => 'memory@example.org');
    is statuses(map { $roster->sign_in($target->{email}, client => "203.0.113.$_") } 1 .. 9), join(' ', (200) x 9),
        'sign-ins that succeed are no failures';
    my %outcomes;
    $outcomes{$_->{status}}++
        for map { answer_of($_) } map { begin_sign_in("198.51.100.$_", $target->{email}) } 101 .. 140;
    is_deeply \%outcomes, {400 => 6, 429 => 34}, 'six failures are counted by all workers together';
    is $roster->sign_in($target->{email}, client => '203.0.113.1')->{status}, 200, 'a place that is known';
    $roster->start('redis');
};
$roster->finish;

# ---- Proxies in front ----

subtest 'real_ip' => sub {
    my %trusted = (trusted_email_header => 'X-Forwarded-Email', trusted_proxies => '127.0.0.2');
    my $behind = Roster->new(start => 0, config => \%trusted);
    my %port = map { ($_ => Roster::free_port()) } qw(remote local);
    $behind->{options}{nginx_http} = join '', map {
              "server { listen 127.0.0.1:$port{$_->[0]}; set_real_ip_from $_->[1]; real_ip_header X-Forwarded-For; "
            . "include $behind->{directory}/nginx/roster-locations.conf; }\n"
    } [remote => '127.0.0.2'], [local => '127.0.0.1'];
    $behind->start;
    my $from = sub ($peer, $port, $method, $target, %options) {
        my $socket = IO::Socket::INET->new(LocalAddr => $peer, PeerAddr => '127.0.0.1', PeerPort => $port{$port})
            or die "port $port{$port}: $!\n";
        return Roster::Http::exchange($socket, Roster::Http::compose($method, $target, %options), method => $method);
    };
    for my $path ('/status', '/ping', '/ready') {
        is $from->('127.0.0.1', 'remote', GET => $path)->{status}, 200, "$path: a program on this machine";
        is $from->('127.0.0.1', 'local', GET => $path)->{status}, 200, '... also where a proxy runs here';
        is $from->('127.0.0.2', 'remote', GET => $path)->{status}, 404, 'not the proxy itself';
        is $from->('127.0.0.2', 'remote', GET => $path, headers => ['X-Forwarded-For' => $_])->{status}, 404,
            "nor its client, named as $_"
            for '127.0.0.1', '::1', '203.0.113.1';
        is $from->('127.0.0.1', 'local', GET => $path, headers => ['X-Forwarded-For' => $_])->{status}, 404,
            "nor that of one on this machine, as $_"
            for '127.0.0.1', '203.0.113.1';
    }
    my $enter = sub ($peer, $email, @for) {
        return $from->(
            $peer, 'remote',
            POST => '/auths/signin',
            json => {email => '', password => ''},
            headers => ['X-Forwarded-Email' => $email, map { ('X-Forwarded-For' => $_) } @for]);
    };
    my $answer = $enter->('127.0.0.2', 'somebody@example.org', '203.0.113.5');
    is $answer->{status}, 200, 'the proxy is believed, though real_ip has put its client in its place'
        or diag $answer->{body};
    is $behind->sql('SELECT address FROM session'), '203.0.113.5', 'and the address is the client\'s';
    is_problem $enter->('127.0.0.3', 'somebody@example.org', '127.0.0.2'), 400, 'INVALID_TRUSTED_HEADER',
        'somebody else is not, whatever they say';
    ok $behind->wait_log(qr/trusted header fields were sent by 127\.0\.0\.3, which is not in trusted_proxies/),
        'the log says who it was';
    is_problem $enter->('127.0.0.1', 'somebody@example.org'), 400, 'INVALID_TRUSTED_HEADER',
        'nor another program on this machine';
    $behind->finish;
};

subtest 'everybody behind one proxy' => sub {
    my $behind = Roster->new(
        door => 1,
        config => {
            trusted_email_header => 'X-Forwarded-Email',
            trusted_proxies => '198.51.100.7',
            rate_limit_sign_in => 3,
            rate_limit_sign_in_address => 2
        });
    $behind->sql(q{INSERT INTO config (data) VALUES ('{"ui": {"enable_signup": true}}')});
    my $enter = sub ($email, %options) {
        return $behind->sign_in(
            '',
            password => '',
            headers => ['X-Forwarded-Email' => $email],
            client => '198.51.100.7',
            %options);
    };
    $enter->('first@example.org');
    $behind->sql(q{UPDATE config SET data = '{"ui": {"enable_signup": true}}'});
    is statuses(map { $enter->("person$_\@example.org") } 1 .. 20), join(' ', (200) x 20),
        'twenty people, the body empty';
    is statuses(map { $enter->('again@example.org', json => {email => "x$_\@example.org", password => ''}) } 1 .. 4),
        '200 200 200 429', 'one person is counted, whatever the body says';
    is $enter->('AGAIN@example.org')->{status}, 429, 'by the one form of the address';
    is $enter->('other@example.org', json => {email => 'again@example.org', password => ''})->{status}, 200,
        'which the body does not choose';
    $behind->finish;
};

# ---- The numbers that come of the configuration ----

subtest 'lists and searches' => sub {
    my $lists = Roster->new(config => {rate_limit_list => 5});
    my $somebody = $lists->add_user;
    my $other = $lists->add_user(role => 'admin');
    my $ask = sub ($who, $path) { $lists->get($path, $who)->{status} };
    is join(' ', map { $ask->($somebody, '/users/search?query=x') } 1 .. 6), '200 200 200 200 200 429',
        'searches of one person';
    is join(' ',
        map { $ask->($other, $_) } '/users/',
        '/users/all', '/users/search', '/users/', '/users/', '/users/all'),
        '200 200 200 200 200 429', 'lists and searches are counted together';
    is $ask->($other, "/users/$somebody->{id}"), 200, 'other reads are not';
    is $lists->request(GET => '/users/', client => '192.0.2.9', token => $other->{token})->{headers}{'retry-after'} =~
        /^\d+$/, 1, 'with Retry-After';
    $lists->finish;
};

subtest 'sign-ins by address' => sub {
    # 180 s * 4 hashes a second / 2, a sixth of it for hashes that cost six times as much; one of several workers is
    # kept for those who go first
    for my $case ([16384, 5, 1, 360], [16384, 30, 1, 60], [16384, 5, 2, 360], [16384, 5, 3, 720], [1048576, 64, 1, 60])
    {
        my ($n, $p, $workers, $most) = @$case;
        my $stack = Roster->new(
            password => {workers => $workers},
            config => {
                password_scrypt_n => $n,
                password_scrypt_p => $p,
                rate_limit_sign_in => 1000000,
                rate_limit_sign_in_email => 1000000
            });
        my $answer = $stack->fastcgi(
            'api',
            {
                REQUEST_METHOD => 'POST',
                REQUEST_URI => '/auths/signin',
                CONTENT_TYPE => 'application/json',
                ROSTER_HAND_OVER => 'on'
            },
            '{"email":"x","password":"y"}');
        is + (split ' ', $answer->{headers}{'x-roster-admission'})[5], $most,
            "N $n, p $p, $workers workers: $most sign-ins from one address";
        $stack->finish;
    }
};

done_testing;
