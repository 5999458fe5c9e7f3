# Rate limits: what counts, in which window, in Redis and without it, and what clients and the log are told.
use v5.36;

use Test::More;
use Roster;

my $roster = Roster->new(
    config => {
        rate_limit_sign_in => 5,
        rate_limit_sign_in_address => 12,
        rate_limit_sign_up => 3,
        rate_limit_password => 3,
        rate_limit_api_key => 4,
        rate_limit_update => 6,
        redis_timeout => '200ms'
    });
my $user = $roster->add_user(email => 'somebody@example.org');
my $other = $roster->add_user(email => 'other@example.org');
$roster->sql('INSERT INTO config (data) VALUES (?)', '{"ui": {"enable_signup": true}}');

# A window must not roll while a test counts: waits until the present minute has some seconds left.
sub enter_minute ($seconds = 20) {
    my $left = 60 - time % 60;
    sleep $left if $left < $seconds;
    return;
}

enter_minute;
my @answers = map { $roster->sign_in('somebody@example.org', client => '192.0.2.1') } 1 .. 6;
is statuses(@answers), '200 200 200 200 200 429', 'after five sign-ins, successful ones counted, the sixth is refused';
is_problem $answers[5], 429, 'RATE_LIMIT_EXCEEDED', 'with this problem';
my $headers = $answers[5]{headers};
like $headers->{'retry-after'}, qr/^\d+$/, 'Retry-After is a number of seconds';
cmp_ok $headers->{'retry-after'}, '>', 180 - 1, 'the window is over then';
cmp_ok $headers->{'retry-after'}, '<=', 240, '... and little more than the window';
like $headers->{'ratelimit-policy'}, qr/^"sign_in";q=5;w=180$/, 'RateLimit-Policy tells the limit';
like $headers->{ratelimit}, qr/^"sign_in";r=0;t=\d+$/, 'RateLimit tells that nothing is left';
like $answers[1]{headers}{ratelimit}, qr/^"sign_in";r=3;t=\d+$/, 'and before that, what is left';
is $roster->sign_in('SOMEBODY@Example.ORG', client => '192.0.2.1')->{status}, 429,
    'the case of the address does not matter';
is $roster->sign_in('somebody@example.org', client => '192.0.2.2')->{status}, 200,
    'from another address the account can be reached: a stranger locks nobody out';
is $roster->sign_in('other@example.org', client => '192.0.2.1')->{status}, 200,
    'another account can, too, from the same address';
my $reached = qr/rate limit sign_in reached for address 192\.0\.2\.1/;
ok $roster->wait_log(qr/\[warning\] \d+#api: $reached while limit, client: 192\.0\.2\.1, request: \w+/),
    'the log says so';

# The same address with many accounts.
is statuses(map { $roster->sign_in("guess$_\@example.org", client => '192.0.2.9', password => 'not the password') }
        1 .. 14),
    join(' ', (400) x 12, 429, 429), 'one address with many accounts is refused after twelve';

{
    my %keys = map { ($_ => 1) } @{$roster->redis('KEYS', '*:ratelimit:*')};
    my $bucket = int(time / 60);
    my ($key) = grep { /^open-webui:ratelimit:.*somebody\@example\.org:192\.0\.2\.1:$bucket$/ } keys %keys;
    ok $key, 'the counter in Redis has its prefix, the key in lower case, and the minute' or diag explain \%keys;
    is $roster->redis('GET', $key), 7, 'each try is counted, refused ones as well';
    my $left = $roster->redis('TTL', $key);
    cmp_ok $left, '>', 180, 'it lives longer than the window';
    cmp_ok $left, '<=', 240, '... by a minute at most';
    ok !(grep { /[A-Z]/ } keys %keys), 'no key has upper case';

    # The window rolls: what was counted three minutes ago counts, four minutes ago it does not.
    $roster->redis('DEL', keys %keys);
    (my $older = $key) =~ s/\d+$/$bucket - 3/e;
    (my $oldest = $key) =~ s/\d+$/$bucket - 4/e;
    $roster->redis('SET', $oldest, 100);
    $roster->redis('SET', $older, 4);
    enter_minute if time % 60 > 55;
    is statuses(map { $roster->sign_in('somebody@example.org', client => '192.0.2.1') } 1 .. 2), '200 429',
        'three minutes ago counts, four minutes ago does not'
        if $bucket == int(time / 60);
}

subtest 'the other limits' => sub {
    enter_minute(30);
    my $sign_up = sub ($number, $client) {
        return $roster->request(
            POST => '/auths/signup',
            client => $client,
            json => {name => 'New', email => "new$number\@example.org", password => 'a password of some length'});
    };
    is statuses(map { $sign_up->($_, '192.0.2.50') } 1 .. 4), '200 200 200 429', 'sign-ups from one address';
    is $sign_up->(5, '192.0.2.51')->{status}, 200, 'another one is free';
    my $password = sub ($who) {
        return $roster->post('/auths/update/password', $who, {password => 'not the password', new_password => 'x'});
    };
    is statuses(map { $password->($user) } 1 .. 4), '400 400 400 429',
        "changes of one user's password, wrong ones counted";
    is $password->($other)->{status}, 400, 'another user is free';
    my $key = sub ($method, $who) { return $roster->ask($method => '/auths/api_key', $who) };
    is statuses(map { $key->(DELETE => $user) } 1 .. 5), '200 200 200 200 429', "changes of one user's keys";
    is $key->(GET => $user)->{status}, 404, 'looking at it is not limited';
    is $key->(DELETE => $other)->{status}, 200, 'another user is free';
    my $update = sub ($path) { return $roster->post($path, $user, {}) };
    is statuses(
        map { $update->($_) }
            ('/users/user/status/update', '/users/user/info/update', '/users/user/settings/update') x 2,
        '/users/user/info/update'
        ),
        '200 200 200 200 200 200 429', "changes of one user's own data, counted together";
    is $roster->get('/users/user/status', $user)->{status}, 200, 'reading is not limited';
};

subtest 'what does not count' => sub {
    enter_minute;
    $roster->redis('FLUSHALL');
    is statuses(
        map {
            $roster->request(POST => '/auths/signin', json => {email => 'somebody@example.org'}, client => '192.0.2.3')
        } 1 .. 8
        ),
        join(' ', (422) x 8),
        'a body that fails validation is no try';
    is $roster->sign_in('somebody@example.org', client => '192.0.2.3')->{status}, 200, 'so a sign-in is still free';
};

subtest 'keys that would fill Redis' => sub {
    enter_minute;
    my $email = ('x' x 100_000) . '@example.org';
    is $roster->sign_in($email, client => '192.0.2.4')->{status}, 400,
        'an address of 100 KB is refused as any unknown one';
    is_deeply [grep { length > 500 } @{$roster->redis('KEYS', '*')}], [], 'and counted under a short key';
    is statuses(map { $roster->sign_in($email, client => '192.0.2.4') } 1 .. 5), '400 400 400 400 429',
        '... which is its own';
};

subtest 'Redis is away' => sub {
    enter_minute(30);
    $roster->stop('redis');
    is statuses(map { $roster->sign_in('somebody@example.org', client => '192.0.2.5') } 1 .. 6),
        '200 200 200 200 200 429',
        'the workers count in memory, all together';
    cmp_ok $roster->sign_in('somebody@example.org', client => '192.0.2.5')->{headers}{'retry-after'}, '<=', 240,
        'with Retry-After';
    is statuses(map { $roster->sign_in("other$_\@example.org", client => '192.0.2.55') } 1 .. 13),
        join(' ', (400) x 12, 429),
        'by address as well';
    is $roster->sign_in('other@example.org', client => '192.0.2.6')->{status}, 200, 'others are free';
    $roster->start('redis');
    ok wait_until(
        5,
        sub {
            sleep 1;
            $roster->sign_in('somebody@example.org', client => '192.0.2.7');
            scalar @{$roster->redis('KEYS', '*192.0.2.7*')};
        }
        ),
        'Redis is used again when it is back';
};

subtest 'Redis refuses' => sub {
    enter_minute(30);
    $roster->redis('CONFIG', 'SET', 'maxmemory', '1');
    is statuses(map { $roster->sign_in('other@example.org', client => '192.0.2.8') } 1 .. 6), '200 200 200 200 200 429',
        'a Redis that is full is one that is away';
    $roster->redis('CONFIG', 'SET', 'maxmemory', '0');
};
$roster->finish;

# ---- Switched off ----

my $off = Roster->new(config => {rate_limits => 'no', rate_limit_sign_in => 1});
my $free = $off->add_user;
is statuses(map { $off->sign_in($free) } 1 .. 4), '200 200 200 200', 'rate_limits = no: nothing is limited';
is $off->sign_in($free)->{headers}{ratelimit}, undef, 'and no header field speaks of it';

done_testing;
