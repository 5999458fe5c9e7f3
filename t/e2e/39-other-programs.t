# Signing in for other programs: where the sign-in page may send a browser back to, and the cookie for a whole domain.
use v5.36;

use Test::More;
use Roster;

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

$roster->finish;
done_testing;
