# What changes something with the cookie alone is taken from this site's own pages, and no other's.
use v5.36;

use Test::More;
use Roster;

my $roster = Roster->new(config => {rate_limits => 'no', cors_origins => 'https://app.example.net'}, https => 1);
my $admin = $roster->add_user(role => 'admin', created_at => 1);
my $user = $roster->add_user;
my $host = 'users.example.org';
my ($evil, $own) = ('https://evil.example', "http://$host");

my $number = 0;
# The attack of another site's page: an administrator is made, with no Content-Type.
sub add_account (%options) {
    my ($headers, @more) = (delete $options{headers} // [], %options);
    my $body = JSON::PP->new->encode({
        name => 'Evil',
        email => 'evil' . ++$number . '@example.org',
        password => 'some long password',
        role => 'admin'
    });
    return $roster->request(POST => '/auths/add', body => $body, host => $host, headers => $headers, @more);
}
sub accounts () { return $roster->sql(q{SELECT COUNT(*) FROM user WHERE name = 'Evil'}) }

# ---- What browsers send ----

my @cookie = (cookie => $admin->{token});
for my $case (
    ['nothing: a program', [], 0],
    ['its own page', ['Sec-Fetch-Site' => 'same-origin', Origin => $own], 0],
    ['its own page, in an old browser', [Origin => $own], 0],
    ['its own page, the default port written out', [Origin => "$own:80"], 0],
    ['typed by a person', ['Sec-Fetch-Site' => 'none'], 0],
    ['a configured origin', ['Sec-Fetch-Site' => 'cross-site', Origin => 'https://app.example.net'], 0],
    ['another site', ['Sec-Fetch-Site' => 'cross-site', Origin => $evil], 1],
    ['another site, in an old browser', [Origin => $evil], 1],
    ['another site that hides its origin', [Origin => 'null'], 1],
    ['another site, no origin', ['Sec-Fetch-Site' => 'cross-site'], 1],
    ['a sibling', ['Sec-Fetch-Site' => 'same-site', Origin => 'https://blog.example.org'], 1],
    ['a sibling, no origin', ['Sec-Fetch-Site' => 'same-site'], 1],
    ['the same host by https', [Origin => "https://$host"], 1],
    ['the same host, another port', [Origin => "$own:8080"], 1],
    ['another origin, whatever Sec-Fetch-Site says', ['Sec-Fetch-Site' => 'same-origin', Origin => $evil], 1])
{
    my ($name, $headers, $refused) = @$case;
    my $before = accounts();
    my $answer = add_account(@cookie, headers => $headers);
    if ($refused) {
        is_problem $answer, 403, 'CROSS_SITE', "$name: refused";
        is $answer->{headers}{'set-cookie'}, undef, '... and the cookie stays';
    }
    else { is $answer->{status}, 200, "$name: let through" or diag $answer->{body} }
    is accounts() - $before, $refused ? 0 : 1, '... accounts made';
}
like $roster->log_text, qr{\[warning\] .*another site.*public_url or cors_origins}, 'it is in the log';
like add_account(@cookie, headers => [Origin => "https://$host"])->{json}{detail}, qr/public_url/,
    'a proxy that takes the https off is told of';
is add_account(@cookie, https => 1, headers => [Origin => "https://$host"])->{status}, 200,
    'by https its origin is the https one';
is_problem add_account(@cookie, https => 1, headers => [Origin => $own]), 403, 'CROSS_SITE', '... and no other';

# ---- What is concerned, and what is not ----

my @elsewhere = ('Sec-Fetch-Site' => 'cross-site', Origin => $evil);
is add_account(headers => [Authorization => "Bearer $admin->{token}", @elsewhere])->{status}, 200,
    'the header field authenticates: no other site can set it';
is add_account(@cookie, headers => [Authorization => "Bearer $admin->{token}", @elsewhere])->{status}, 200,
    'header and the same cookie together: the header counts';
is_problem add_account(@cookie, headers => [Authorization => 'Basic eDp5', @elsewhere]), 403, 'CROSS_SITE',
    'another scheme falls through to the cookie';
is $roster->request(GET => '/users/user/status', @cookie, host => $host, headers => \@elsewhere)->{status}, 200,
    'reading is not concerned';
is $roster->request(HEAD => '/users/user/status', @cookie, host => $host, headers => \@elsewhere)->{status}, 200,
    'nor is HEAD';
is_problem $roster->request(DELETE => "/users/$user->{id}", @cookie, host => $host, headers => \@elsewhere), 403,
    'CROSS_SITE', 'DELETE';
is_problem $roster->request(DELETE => '/api/v1/auths/sessions', @cookie, host => $host, headers => \@elsewhere), 403,
    'CROSS_SITE', '... under /api/v1, too';
is $roster->request(GET => '/users/user/status', @cookie)->{status}, 200, 'nothing of it has been done';

is_problem add_account(cookie => $user->{token}, headers => \@elsewhere), 403, 'CROSS_SITE', 'it comes before the role';
is_problem add_account(cookie => 'rubbish', headers => \@elsewhere), 401, 'UNAUTHORIZED', '... and behind the token';
is_problem add_account(headers => \@elsewhere), 401, 'NOT_AUTHENTICATED', 'nobody is nobody';
is_problem $roster->request(POST => '/auths/add', @cookie, body => '{"half', host => $host, headers => \@elsewhere),
    403, 'CROSS_SITE', 'before any look at the body';

# A key in the cookie is a cookie; elsewhere it is not.
$roster->sql('INSERT INTO config (data) VALUES (?)', '{"auth": {"enable_api_keys": true}}');
my $key = $roster->ask(POST => '/auths/api_key', $admin)->{json}{api_key};
is_problem add_account(cookie => $key, headers => \@elsewhere), 403, 'CROSS_SITE', 'a key in the cookie';
is add_account(headers => ['x-api-key' => $key, @elsewhere])->{status}, 200, 'a key in x-api-key';
is add_account(headers => ['x-api-key' => $key, Cookie => "token=$admin->{token}", @elsewhere])->{status}, 200,
    '... beside a cookie';

# ---- Sign-out ----

for my $method (qw(GET POST)) {
    my $token = $roster->sign_in($user)->{json}{token};
    my $lives = sub { $roster->get('/users/user/status', $token)->{status} };
    if ($method eq 'POST') {
        is_problem $roster->request(POST => '/auths/signout', cookie => $token, host => $host, headers => \@elsewhere),
            403, 'CROSS_SITE', 'another site signs nobody out';
        is $lives->(), 200, '... the session lives';
    }
    my $answer = $roster->request(
        $method => '/auths/signout',
        cookie => $token,
        host => $host,
        ($method eq 'POST' ? (headers => [Origin => $own]) : (headers => \@elsewhere)));
    is $answer->{body}, '{"status":true}', "$method signs out";
    is scalar(@{$answer->{set_cookie}}), 4, '... and deletes the four cookies';
    is $answer->{headers}{'cache-control'}, 'no-store', '... and is not kept';
    is $lives->(), 401, '... the session is over';
}
is $roster->request(POST => '/auths/signout', host => $host, headers => [Authorization => 'Bearer', @elsewhere])
    ->{body}, '{"status":true}', 'POST with a malformed header';
is $roster->request(POST => '/api/v1/auths/signout/')->{body}, '{"status":true}', 'POST of nobody';
is $roster->request(POST => '/auths/signout', body => '{"any": 1}', headers => ['Content-Type' => 'application/json'])
    ->{body}, '{"status":true}', 'a body does not matter';
is $roster->request(DELETE => '/auths/signout')->{headers}{allow}, 'GET, HEAD, POST, OPTIONS', 'Allow names both';

# ---- Behind a proxy that takes the https off ----

$roster->set_directives(public_url => "https://$host");
my @old = $roster->workers;
$roster->process('roster')->signal('HUP');
ok wait_until(
    20,
    sub {
        my %now = map { ($_ => 1) } $roster->workers;
        !grep { $now{$_} } @old;
    }
    ),
    'public_url is set';
is add_account(@cookie, headers => [Origin => "https://$host", 'Sec-Fetch-Site' => 'same-origin'])->{status}, 200,
    'its pages are our own';
is_problem add_account(@cookie, headers => [Origin => $own]), 403, 'CROSS_SITE', 'the same host without https is not';

done_testing;
