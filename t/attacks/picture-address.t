# CWE-918, CWE-601, CWE-79: the address of a picture makes the server ask another host, or browsers run or ask something.
use v5.36;

use IO::Select;
use IO::Socket::INET;
use Test::More;
use Roster::Attack;

my @refused = (
    '//evil.example/x.png', '///evil.example/x.png',
    '/\\evil.example/x.png', '\\\\evil.example\\x',
    'file:///etc/passwd', 'gopher://127.0.0.1:6379/_FLUSHALL',
    'dict://127.0.0.1:11211/', 'ftp://127.0.0.1/',
    'unix:/run/x', 'javascript:alert(1)',
    'JaVaScRiPt:alert(1)', "java\tscript:alert(1)",
    ' javascript:alert(1)', 'vbscript:x',
    'data:text/html;base64,PHNjcmlwdD4=', 'data:text/html,<script>alert(1)</script>',
    'blob:https://evil.example/x', "/user.png\r\nX: y",
    "/user.png\0.png", '/pictures/' . '0' x 64 . '.png',
    '/pictures/x/../../pictures/' . '0' x 64 . '.png', '/api/v1/auths/signout',
    '/auths/signout?x.png', '/%61uths/signout',
    '/x/../api/v1/auths//signout', 'http://roster.example.org/api/v1/auths/signout',
    'https://evil.example/' . 'x' x 2048);

my $number = 0;

# How somebody sets an address: of oneself, of somebody else, and of a new account.
sub ways ($roster, $admin, $user) {
    my $new = sub ($path, $who, $url) {
        my %body = (name => 'N', email => 'url' . ++$number . '@example.org', password => 'long enough, this');
        return $roster->post($path, $who, {%body, profile_image_url => $url});
    };
    return (
        'of oneself' => sub ($url) {
            $roster->post('/auths/update/profile', $user, {name => 'N', profile_image_url => $url});
        },
        'by an administrator' => sub ($url) { $roster->update_user($admin, $user, {profile_image_url => $url}) },
        'of a new account' => sub ($url) { $new->('/auths/add', $admin, $url) },
        'at sign-up' => sub ($url) { $new->('/auths/signup', undef, $url) });
}

attack 'addresses that are refused' => sub ($roster) {
    set_config($roster, {ui => {enable_signup => JSON::PP::true}});
    my ($admin, $user) = ($roster->add_user(role => 'admin'), $roster->add_user);
    my %ways = ways($roster, $admin, $user);
    for my $way (sort keys %ways) {
        my @taken = grep { $ways{$way}->($_)->{status} == 200 } @refused;
        is join(' ', map { substr $_, 0, 60 } @taken), '', "$way: none is taken";
        is $ways{$way}->('/user.png')->{status}, 200, "$way: a good one is";
    }
    set_config($roster, undef);
};

# An address at another host may be there: browsers are sent to it. The service itself never asks for it.
attack 'the service asks no other host' => sub ($roster) {
    my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 5) or die "no listener: $!\n";
    my $there = 'http://127.0.0.1:' . $listener->sockport;
    my ($admin, $user) = ($roster->add_user(role => 'admin'), $roster->add_user);
    my %ways = ways($roster, $admin, $user);
    is $ways{$_}->("$there/x.png")->{status}, 200, "an address at another host, $_"
        for grep { $_ ne 'at sign-up' } sort keys %ways;
    my $answer = $roster->get("/users/$user->{id}/profile/image", $admin);
    is "$answer->{status} $answer->{headers}{location}", "302 $there/x.png", 'browsers are led to it';
    $roster->get($_, $admin)
        for '/users', '/users/all', "/users/$user->{id}", "/users/$user->{id}/export", '/admin/people';
    ok !IO::Select->new($listener)->can_read(0.3), 'nothing came from the service';
};

# Rows that another program has written have any address.
attack 'addresses in rows of another program' => sub ($roster) {
    my $caller = $roster->add_user;
    for my $address (grep { !/[\r\n\0]/ && !m{^https?:} } @refused) {
        my $user = $roster->add_user(profile_image_url => $address);
        my $answer = $roster->get("/api/v1/users/$user->{id}/profile/image", $caller);
        is $answer->{headers}{location}, undef, "$address leads nowhere";
        unlike $answer->{headers}{'content-type'} // '', qr/html|svg/, '... and is no page';
    }
};

# Who looks at it would sign out: the browser sends the cookie with it, as it is of the same site.
attack 'a picture that signs people out' => sub ($roster) {
    my $user = $roster->add_user;
    my $token = $roster->new_session($user);
    my @cookie = (cookie => $token);
    my @image = ('Sec-Fetch-Dest' => 'image', 'Sec-Fetch-Mode' => 'no-cors', 'Sec-Fetch-Site' => 'same-origin');
    is_problem $roster->request(GET => '/api/v1/auths/signout', @cookie, headers => \@image), 403, 'CROSS_SITE',
        'it is no answer to an <img>';
    is $roster->get('/auths/', $token)->{status}, 200, '... and the session goes on';
    my @fetch = ('Sec-Fetch-Dest' => 'empty', 'Sec-Fetch-Mode' => 'cors', 'Sec-Fetch-Site' => 'same-origin');
    is $roster->request(GET => '/api/v1/auths/signout', @cookie, headers => \@fetch)->{status}, 200,
        'a page of the site may';
    is $roster->get('/auths/', $token)->{status}, 401, '... and then it has ended';
};

end_of_attacks;
