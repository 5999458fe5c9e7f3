# Signing in for other programs: who is calling, and by which rule they may in; where the sign-in page may send a browser back to, and the cookie for a whole domain.
use v5.36;
use utf8;

use Encode ();
use JSON::PP ();
use MIME::Base64 ();
use Test::More;
use Roster;

binmode Test::More->builder->$_, ':encoding(UTF-8)' for qw(output failure_output);

my $roster = Roster->new(
    config => {
        rate_limits => 'no',
        cookie_domain => 'example.org',
        return_hosts => 'app.example.net dev.example.net:8443'
    },
    https => 1);
my $admin = $roster->add_user(role => 'admin', created_at => 1);
my $user = $roster->add_user;
my @own = (host => 'users.example.org', https => 1);

# ---- Where to ----

# t/unit/test_return_url.c has the attacks.
sub return_of ($query, %options) {
    return $roster->call(sign_in_return => 200, query => $query, @own, %options)->{json}{url};
}
for my $case (
    ['?rd=/wiki/?a=b&c=d%20e', '/wiki/?a=b&c=d%20e', 'a path as nginx writes it'],
    ['?rd=https://wiki.example.org/a?b=c&d=e', 'https://wiki.example.org/a?b=c&d=e', 'an address as nginx writes it'],
    ['?rd=https%3A%2F%2Fwiki.example.org%2F%3Fa%3Db%26c', 'https://wiki.example.org/?a=b&c', 'an address, encoded'],
    ['?x=y&rd=%2Fa&z', '/a', 'one of several parameters'],
    ['?rd=https://app.example.net/', 'https://app.example.net/', 'a host of return_hosts'],
    ['?rd=https://dev.example.net:8443/', 'https://dev.example.net:8443/', 'one with a port'],
    ['?rd=https://users.example.org/x', 'https://users.example.org/x', 'this site'],
    ['?rd=https://evil.example/', '/account/', 'another host'],
    ['?rd=%2F%2Fevil.example', '/account/', 'a path that is none'],
    ['?rd=http://wiki.example.org/', '/account/', 'http, where this site has https'],
    ['?rd=/account/sign-in?rd=/x', '/account/', 'the sign-in page itself'],
    ['?rd=/files/%FF?x=%C3', '/files/%FF?x=%C3', 'a path that is not UTF-8, as names of files may be'],
    ['?rd=%2Ffiles%2F%FF', '/files/%FF', '... encoded'],
    ['?rd=%2Ffiles%2F%00', '/account/', 'a NUL'],
    ['?rd=%FF', '/account/', 'no path, and not UTF-8'],
    ['?rd=', '/account/', 'nothing'],
    ['', '/account/', 'no parameter'])
{
    my ($query, $expected, $name) = @$case;
    is return_of($query), $expected, $name;
}
is return_of('?rd=http://wiki.example.org/', https => 0), 'http://wiki.example.org/',
    'http, where this site has it, too';
is return_of('?rd=https://app.example.net/', host => 'app.example.net'), 'https://app.example.net/', 'at another host';

# ---- The cookie ----

sub cookies_of ($answer) { return @{$answer->{set_cookie} // []} }

sub token_cookies ($answer) {
    return grep { /^token=/ } cookies_of($answer);
}

my $answer = $roster->sign_in($user, @own);
my ($cookie, @others) = token_cookies($answer);
like $cookie,
    qr/^token=$answer->{json}{token}; Expires=[^;]+; Domain=example\.org; Path=\/; HttpOnly; SameSite=lax; Secure$/,
    'the cookie is for the domain';
is @others, 0, '... and the only one';
unlike $_, qr/Domain/, 'the cookie of the device is not' for grep { /^roster_device=/ } cookies_of($answer);

# A sign-in at another host of the domain takes the place of this one.
unlike "@{[cookies_of($answer)]}", qr/__Host-/, 'no cookie ties the browser to the session of this host alone';
is $roster->request(
    GET => '/auths/',
    headers => [Cookie => "token=$answer->{json}{token}; __Host-roster_session=" . Roster::uuid()],
    @own
)->{status}, 200, '... nor does one from before cookie_domain was set';

my $out = $roster->request(GET => '/auths/signout', cookie => $answer->{json}{token}, @own);
is_deeply [map { /Domain=([^;]*)/ ? $1 : 'host' } token_cookies($out)], ['host', 'example.org'],
    'signing out deletes it, and one from before cookie_domain was set';
my @dead = token_cookies($roster->request(GET => '/auths/', cookie => $answer->{json}{token}, @own));
is @dead, 2, 'a session that has ended likewise';

$answer = $roster->sign_in($user, host => 'users.example.net', https => 1);
unlike + (token_cookies($answer))[0], qr/Domain/,
    'at a host that the domain does not cover, browsers get one they take';
ok wait_until(10, sub { $roster->log_text =~ qr{\[warning\] .*cookie_domain example\.org.*"users\.example\.net"} }),
    '... and the log says so';

# ---- Who is calling ----

# As nginx asks: the rule and the application are parameters that no client can set.
sub verify ($who, $rule = undef, %parameters) {
    return $roster->fastcgi(
        'api',
        {
            REQUEST_URI => '/verify',
            (defined $rule ? (ROSTER_REQUIRE => Encode::encode('UTF-8', $rule)) : ()),
            (defined $who ? (HTTP_AUTHORIZATION => 'Bearer ' . (ref $who ? $who->{token} : $who)) : ()),
            %parameters
        });
}
my @fields = map { "remote-$_" } qw(user email name groups role);

sub status_of (@arguments) {
    my $answer = verify(@arguments);
    my $headers = $answer->{headers};
    my @wrong = grep { $_ } (
        $answer->{body} ne '' && 'a body',
        exists $headers->{'set-cookie'} && 'a cookie',
        ($headers->{'cache-control'} // '') ne 'no-store' && 'no no-store',
        ($headers->{vary} // '') !~ /Authorization, Cookie, X-API-Key/ && 'no Vary',
        $answer->{status} != 204 && (grep { exists $headers->{$_} } @fields) && 'an identity with a refusal',
        $answer->{status} == 401 && ($headers->{'www-authenticate'} // '') eq '' && 'no challenge');
    return join ' with ', join(' ', $answer->{status}, $headers->{'x-roster-code'} // ()), @wrong;
}

my %group;
for my $name ('staff', 'Night Shift', 'Ärzte, innen', '50%', "Tab\tand\x{202e}bidi") {
    $group{$name} = Roster::uuid();
    $roster->sql('INSERT INTO `group` (id, user_id, name, created_at, updated_at) VALUES (?, ?, ?, 1, 1)',
        $group{$name}, $admin->{id}, $name);
}

sub join_groups ($user, @names) {
    $roster->sql('INSERT INTO group_member (id, group_id, user_id) VALUES (?, ?, ?)',
        Roster::uuid(), $group{$_}, $user->{id})
        for @names;
}
my $jo = $roster->add_user(name => 'Jörg', email => 'jo@example.org', username => 'jo');
join_groups($jo, keys %group);
my $pending = $roster->add_user(role => 'pending');
my $disabled = $roster->add_user(active => 0);
my $expired = $roster->token_for($jo->{id}, iat => time - 7200, exp => time - 3600);
my $foreign = $roster->jwt({id => $jo->{id}, exp => time + 3600, iat => time}, key => 'x' x 40);

$answer = $roster->call(verify => 204, token => $jo->{token});
is_deeply {
    map { ($_ => Encode::decode('UTF-8', $answer->{headers}{"remote-$_"})) } qw(user email name groups role)
},
    {
    user => 'jo@example.org',
    email => 'jo@example.org',
    name => 'Jörg',
    groups => '50%25,Night Shift,Tabandbidi,staff,Ärzte%2C innen',
    role => 'user'
    },
    'who it is, in UTF-8 and without control characters; commas of names are encoded';
$roster->call(verify => 'NOT_AUTHENTICATED');
$roster->call(verify => 'ACCESS_PROHIBITED', token => $pending->{token});

for my $case (
    [undef, undef, '401 NOT_AUTHENTICATED', 'nobody'],
    [$jo, undef, '204', 'a user'],
    [$admin, undef, '204', 'an administrator'],
    [$pending, undef, '401 ACCESS_PROHIBITED', 'a pending user counts as nobody'],
    [$pending, 'group:staff', '401 ACCESS_PROHIBITED', '... whatever the rule'],
    [$pending, 'any', '204', '... but for any'],
    [$disabled, 'any', '401 INVALID_TOKEN', 'a disabled account is nobody to every rule'],
    [undef, 'any', '401 NOT_AUTHENTICATED', 'any is somebody'],
    [$expired, 'any', '401 UNAUTHORIZED', 'an expired token'],
    [$foreign, 'any', '401 UNAUTHORIZED', 'a token of another signer'],
    ['rubbish', 'any', '401 UNAUTHORIZED', 'no token'],
    [$jo, 'group:staff', '204', 'a group by its name'],
    [$jo, "group:$group{staff}", '204', '... by its id'],
    [$jo, 'group:"Night Shift" group:"Ärzte, innen"', '204', 'two groups with odd names'],
    [$user, 'group:staff', '403 ACCESS_PROHIBITED', 'not in the group'],
    [$user, 'group:Staff', '403 ACCESS_PROHIBITED', '... with other letters'],
    [$user, 'group:staff, role:user', '204', 'one of two'],
    [$user, 'group:staff role:user', '403 ACCESS_PROHIBITED', 'both of two'],
    [$admin, 'group:staff', '403 ACCESS_PROHIBITED', 'an administrator is not in every group'],
    [$admin, 'role:admin', '204', 'a role'],
    [$user, 'role:admin', '403 ACCESS_PROHIBITED', '... which this user lacks'],
    [$jo, 'user:JO@example.org', '204', 'a person'],
    [$user, 'permission:features.api_keys', '403 ACCESS_PROHIBITED', 'a permission'],
    [$admin, 'permission:features.api_keys', '204', '... which administrators have'],
    [$jo, 'group:staff,', '403 ACCESS_PROHIBITED', 'a rule that can\'t be read refuses'],
    [$admin, 'staff', '403 ACCESS_PROHIBITED', '... administrators, too'],
    [$admin, 'group:nobody', '403 ACCESS_PROHIBITED', 'a group that there is not'],
    [$jo, 'group:nobody, group:staff', '204', '... beside one that there is'],
    [$jo, "group:\xff", '403 ACCESS_PROHIBITED', 'a name that nobody has'])
{
    my ($who, $rule, $expected, $name) = @$case;
    is status_of($who, $rule), $expected, $name . (defined $rule ? ": $rule" : '');
}
is status_of($jo, undef, ROSTER_REQUIRE => "group:\xff"), '403 ACCESS_PROHIBITED', 'a rule that is not UTF-8';
$roster->sql('INSERT INTO config (data) VALUES (?)', '{"auth": {"enable_api_keys": true}}');
$roster->sql('UPDATE `group` SET permissions = ? WHERE id = ?', '{"features":{"api_keys":true}}', $group{staff});
is status_of($jo, 'permission:features.api_keys'), '204', 'a permission from a group';

my $log = $roster->log_text;
like $log, qr/\[error\] .*the rule "group:staff," can't be read: a term is missing behind a comma/,
    'the log has the rule that can\'t be read';
like $log, qr/\[error\] .*the rule "group:nobody" refuses: there is no group "nobody"/, '... and the group';
unlike $log, qr/the rule "group:staff" /, '... but no rule that does what it says';

# What an administrator sees of a refusal, and nobody else.
is verify($admin, 'group:staff')->{headers}{'x-roster-rule'}, 'group:staff', 'the rule, for administrators';
is verify($admin, 'group:nobody')->{headers}{'x-roster-rule'}, 'group:nobody (there is no group "nobody")',
    '... with its fault';
is verify($user, 'group:staff')->{headers}{'x-roster-rule'}, undef, '... for nobody else';

# A client can't set the parameters, by no spelling of a header field.
for my $name ('Roster-Require', 'ROSTER_REQUIRE', 'Roster-Application', 'HTTP_ROSTER_REQUIRE', 'X-Roster-Require') {
    is $roster->get('/verify', $user, headers => [$name => 'role:admin'])->{status}, 204,
        "the field $name has no effect";
}
for my $name ('Remote-User', 'Remote_User', 'X-Forwarded-User') {
    is $roster->get('/verify', undef, headers => [$name => $jo->{email}])->{status}, 401, "nor has $name";
}

# ---- By what ----

is status_of(undef, undef, HTTP_COOKIE => "a=b; token=$jo->{token}"), '204', 'the cookie';
is status_of(undef, undef, HTTP_COOKIE => "token=$expired"), '401 UNAUTHORIZED', '... which has expired, and stays';
is status_of($jo, undef, REQUEST_METHOD => 'HEAD'), '204', 'HEAD';
my $key = $roster->call(api_keys_create => 200, token => $jo->{token}, json => {name => 'all'})->{json}{api_key};
my $wiki = $roster->call(
    api_keys_create => 200,
    token => $jo->{token},
    json => {name => 'wiki', routes => ['verify:wiki', '/users']}
)->{json}{api_key};
my $whole = $roster->call(
    api_keys_create => 200,
    token => $jo->{token},
    json => {name => 'verify', routes => ['/verify']}
)->{json}{api_key};
sub basic ($password, $name = 'x') { return 'Basic ' . MIME::Base64::encode_base64("$name:$password", '') }
for my $key ($key, $whole) {
    is status_of($key), '204', 'an API key';
    is status_of(undef, undef, HTTP_X_API_KEY => $key), '204', '... in X-API-Key';
    is status_of(undef, undef, HTTP_AUTHORIZATION => basic($key)), '204', '... as a password';
    is status_of(undef, undef, HTTP_AUTHORIZATION => basic($key, ''), ROSTER_APPLICATION => 'wiki'), '204',
        '... for an application';
}
is status_of($wiki, undef, ROSTER_APPLICATION => 'wiki'), '204', 'a key for one application';
is status_of(undef, undef, HTTP_AUTHORIZATION => basic($wiki), ROSTER_APPLICATION => 'wiki'), '204',
    '... as a password';
for my $other (undef, '', 'Wiki', 'wiki2', 'wik') {
    is status_of($wiki, undef, defined $other ? (ROSTER_APPLICATION => $other) : ()),
        '403 API_KEY_ENDPOINT_NOT_ALLOWED', '... and no other: ' . ($other // 'none');
}
$roster->sql(
    'UPDATE config SET data = ?',
    '{"auth": {"enable_api_keys": true, "api_key": {"endpoint_restrictions": true, "allowed_endpoints": "/users, verify:wiki"}}}'
);
is status_of($key), '403 API_KEY_ENDPOINT_NOT_ALLOWED', 'the list of the site counts, too';
is status_of($key, undef, ROSTER_APPLICATION => 'wiki'), '204', '... which may name an application';
$roster->sql('UPDATE config SET data = ?', '{"auth": {"enable_api_keys": true}}');

for my $case (
    ['a password that is no key', basic('secret')],
    ['no colon', 'Basic ' . MIME::Base64::encode_base64($key, '')],
    ['no base64', 'Basic %%%%'],
    ['nothing', 'Basic '],
    ['no space', 'Basic'])
{
    my ($name, $value) = @$case;
    is status_of(undef, undef, HTTP_AUTHORIZATION => $value), '401 NOT_AUTHENTICATED', "Basic, $name: nobody";
    is status_of(undef, undef, HTTP_AUTHORIZATION => $value, HTTP_COOKIE => "token=$jo->{token}"), '204',
        '... it may be for the application, so the cookie counts';
}
is status_of(undef, undef, HTTP_AUTHORIZATION => basic('sk-' . '0' x 32)), '401 INVALID_TOKEN',
    'a key that there is not';
is $roster->get('/users/user/info', undef, headers => [Authorization => basic($key)])->{status}, 401,
    'elsewhere a key is no password';
for my $case (
    ['verify:', 'string_pattern_mismatch'],
    ['verify:' . 'x' x 249, 'string_too_long'],
    ['verify', 'string_pattern_mismatch'])
{
    my ($route, $type) = @$case;
    my $refused = $roster->post('/auths/api_keys', $jo, {name => 'bad', routes => [$route]});
    is $refused->{json}{detail}[0]{type}, $type, 'a key for ' . substr $route, 0, 10;
}

# Programs are asked for a password, browsers are not: they would show a dialog.
like verify(undef)->{headers}{'www-authenticate'}, qr/^Basic realm="Roster"/, 'a program is asked for a password';
is verify(undef, undef, HTTP_USER_AGENT => 'Mozilla/5.0 (X11)')->{headers}{'www-authenticate'}, 'Bearer',
    'a browser is not';
is verify(undef, undef, HTTP_SEC_FETCH_MODE => 'cors')->{headers}{'www-authenticate'}, 'Bearer', '... nor its script';

# ---- At once ----

my $session = $roster->new_session($user);
is status_of($session), '204', 'a session';
my $idle = $roster->add_user(last_active_at => 1);
is status_of($idle), '204', 'somebody who was away';
ok wait_until(20, sub { $roster->sql('SELECT last_active_at FROM user WHERE id = ?', $idle->{id}) > 1 }),
    'it counts as activity';
$roster->get('/auths/signout', $session);
is status_of($session), '401 INVALID_TOKEN', 'after signing out it is over at the next request';
$session = $roster->new_session($user);
$roster->sql('UPDATE auth SET must_change = 1 WHERE id = ?', $user->{id});
is status_of($session), '401 PASSWORD_CHANGE_REQUIRED', 'who must change the password is led to the sign-in page';
$roster->call(verify => 'PASSWORD_CHANGE_REQUIRED', token => $session);

# ---- By directives ----

sub fields_of ($who) {
    my $headers = verify($who)->{headers};
    return map { $headers->{"remote-$_"} } qw(user name groups);
}
$roster->set_directives(remote_user => 'id', remote_encoding => 'rfc8187');
$roster->reload;
is_deeply [fields_of($jo)],
    [$jo->{id}, q{UTF-8''J%C3%B6rg}, q{50%,Night Shift,Tabandbidi,staff,UTF-8''%C3%84rzte%2C%20innen}],
    'the id, and RFC 8187';
$roster->set_directives(remote_user => 'username', remote_encoding => 'utf8');
$roster->reload;
is + (fields_of($jo))[0], 'jo', 'the username';
is status_of($admin), '403 ACCESS_PROHIBITED', '... without one nobody gets in';

# ---- A second factor ----

$roster->set_directives(compatibility => '0.12');
$roster->reload;

sub signed_in ($ago, %claims) {
    return $roster->token_for(
        $jo->{id},
        typ => 'session',
        auth_method => 'password',
        auth_time => time - $ago,
        mfa_verified => JSON::PP::true,
        %claims);
}
my $lacks = '401 SECOND_FACTOR_REQUIRED';
for my $case (
    [signed_in(0), 'mfa', '204', 'a session with a second factor'],
    [signed_in(90_000), 'mfa', '204', '... of any age'],
    [signed_in(3500), 'mfa<1h', '204', '... young enough'],
    [signed_in(3700), 'mfa<1h', $lacks, '... too old'],
    [signed_in(3700), 'group:staff mfa<1h5m', '204', '... with the group'],
    [signed_in(0, mfa_verified => JSON::PP::false), 'mfa', $lacks, 'a session without one'],
    [signed_in(0, mfa_verified => 'true'), 'mfa', $lacks, '... or with a text instead of true'],
    [signed_in(0, auth_time => undef), 'mfa<1h', $lacks, '... or that does not say when'],
    [signed_in(0, typ => 'automation'), 'mfa', '403 ACCESS_PROHIBITED', 'an automation'],
    [$key, 'mfa', '403 ACCESS_PROHIBITED', 'an API key'],
    [$key, 'mfa, group:staff', '204', '... which may get in by another term'],
    [$jo, 'mfa role:admin', '403 ACCESS_PROHIBITED', 'signing in again would be of no help'])
{
    my ($who, $rule, $expected, $name) = @$case;
    is status_of($who, $rule), $expected, "$name: $rule";
}
$roster->set_directives(compatibility => '0.6');
$roster->reload;

# ---- Whom an application may take for somebody else ----

# As other programs compare names: without regard to case, accents and shapes of letters.
sub elder_in_log ($user) {
    return $roster->log_text =~ /user $user->{id} is refused: .* that of user (\S+), which is older/ && $1;
}
my $first = $roster->add_user(username => 'Groß.i', created_at => 1000);
my $session_of_first = $roster->new_session($first);
is status_of($session_of_first), '204', 'the first with a username';
for my $same (
    'GROß.I', 'gross.i', 'gros.i', 'Groß.ı', 'groß.í', 'ｇroß.i',
    "gro\x{200b}ß.i", "groß.i ", "groß\x{202e}.i", "gro\tß.i")
{
    my $other = $roster->add_user(username => $same);
    is status_of($other), '403 ACCESS_PROHIBITED', "... closes it to \"$same\"";
    is elder_in_log($other), $first->{id}, '... and the log says why' if $same !~ /[\s\x{202e}]/;
    is verify($other, 'user:' . $other->{email})->{headers}{'remote-user'}, undef, '... whatever the rule';
    $roster->sql('DELETE FROM user WHERE id = ?', $other->{id});
}
like $roster->log_text, qr/is refused: the username has characters that no header field carries/,
    'a username that a header field would change is none';
is status_of($first), '204', 'the first keeps it';
is status_of($roster->add_user(username => $_)), '204', "\"$_\" is another" for 'groß.j', 'groß', '0';
$roster->add_user(username => 'GROS.I');
my ($doctor) = grep { $_->{text} =~ /whom they may take for/ }
    @{$roster->ctl('--json', 'doctor', '--nginx-directory', "$roster->{directory}/nginx")->{json}};
like $doctor->{text} // '', qr/whom they may take for user \Q$first->{id}\E \(Groß\.i\), who is older/,
    'the doctor finds them';

$roster->set_directives(remote_user => 'email');
$roster->reload;
my $real = $roster->add_user(email => 'admin.i@example.com', created_at => 1000);
is status_of($real), '204', 'the first with an address';
my %taken =
    map { (
    $_ => $roster->post('/auths/add', $admin, {name => 'x', email => $_, password => $Roster::PASSWORD, role => 'user'})
    ) } 'ádmin.i@example.com', 'admin.ı@example.com', 'ADMIN.I@example.com';
is $taken{'ADMIN.I@example.com'}{status}, 400, 'the same address in capitals is taken';
for my $email ('ádmin.i@example.com', 'admin.ı@example.com') {
    is $taken{$email}{status}, 200, "$email is another address";
    is status_of($taken{$email}{json}), '403 ACCESS_PROHIBITED', '... but applications may take it for the same';
}
is status_of($real), '204', 'whose is the first keeps it';
$roster->set_directives(remote_user => 'id');
$roster->reload;
is status_of($taken{'ádmin.i@example.com'}{json}), '403 ACCESS_PROHIBITED',
    'also where Remote-User is the id, for Remote-Email';

$roster->finish;
done_testing;
