# CWE-601, CWE-644: open redirects: a link to this site leads to another one, by the address to go back to, or by Host.
use v5.36;

use Test::More;
use Roster::Attack;
use Roster::Pictures;

my @evil = (
    'https://evil.example/', '//evil.example/',
    '///evil.example', '////evil.example',
    '/\\evil.example', '\\/evil.example',
    '\\\\evil.example', "/\t/evil.example",
    "/\n/evil.example", "\t//evil.example",
    'https:evil.example', 'https:/evil.example',
    'https:///evil.example', 'http:\\\\evil.example',
    'javascript:alert(1)', 'JAVASCRIPT:alert(1)',
    "java\nscript:alert(1)", 'data:text/html,x',
    'https://roster.example.org@evil.example/', 'https://roster.example.org:x@evil.example/',
    'https://roster.example.org.evil.example/', 'https://evil.example/roster.example.org',
    'https://evil.example?roster.example.org', 'https://evil.example#roster.example.org',
    'https://evil.example\\.roster.example.org', 'https://roster.example.org\\@evil.example',
    'https://evil.example%2f.roster.example.org/', "https://evil.example\0.roster.example.org/",
    '//evil%2eexample/', '/%09/evil.example',
    '/.//evil.example', '/%5cevil.example',
    '/x/..//evil.example', 'https://roster.example.org:443@evil.example',
    "https://evil\x{3002}example/", 'http://0x7f.1/',
    'ftp://roster.example.org/', '//roster.example.org:8443/');

sub encoded ($text) {
    utf8::encode($text);
    return $text =~ s/([^A-Za-z0-9])/sprintf '%%%02x', ord $1/ger;
}

# The browser's reading of an address on our page, as far as the host is concerned (the URL standard): what goes elsewhere.
sub leads_elsewhere ($address) {
    my $read = $address =~ tr/\t\r\n//dr =~ tr{\\}{/}r;
    return $read !~ m{^(?:https?://roster\.example\.org)?/(?!/)};
}

attack 'the address to go back to' => sub ($roster) {
    for my $address (@evil) {
        my $answer = $roster->request(GET => '/auths/return?rd=' . encoded($address));
        my $to = $answer->{json}{url} // $answer->{json}{address} // $answer->{json}{rd};
        ok $answer->{status} != 200 || !defined $to || !leads_elsewhere($to), encoded($address) . ' leads nowhere else'
            or diag $answer->{body};
    }
    my $good = $roster->request(GET => '/auths/return?rd=' . encoded('https://roster.example.org/wiki/?a=b'));
    like $good->{body}, qr{/wiki/\?a=b}, 'an address of this site does';
};

attack 'Host' => sub ($roster) {
    my $user = $roster->add_user;
    my $bytes = png;
    $roster->post('/auths/update/profile', $user, {name => 'N', profile_image_url => data_uri($bytes)});
    for my $host ('evil.example', 'roster.example.org.evil.example', 'roster.example.org:80@evil.example') {
        for my $path ("/api/v1/users/$user->{id}/profile/image", '/users', '/api/v1/auths', '/account', '/admin') {
            my $answer = $roster->request(
                GET => $path,
                token => $user->{token},
                host => $host,
                headers => [
                    'X-Forwarded-Host' => 'evil.example',
                    'X-Host' => 'evil.example',
                    Forwarded => 'host=evil.example'
                ]);
            my $location = $answer->{headers}{location} // '';
            unlike $location =~ s{^https?://\Q$host\E(?=/)}{}r, qr{evil|^//},
                "Host $host, $path: " . ($location || $answer->{status});
        }
    }
    my $answer = $roster->request(GET => "/api/v1/users/$user->{id}/profile/image", token => $user->{token});
    ok $answer->{status} == 302 || $answer->{status} == 200, 'a picture is there';
};

attack 'line ends in what becomes a header field' => sub ($roster) {
    my $user = $roster->add_user;
    for my $path (
        "/api/v1/users/$user->{id}%0d%0aX-Evil:%20y/profile/image", '/account%0d%0aX-Evil:%20y',
        '/admin/%0d%0aSet-Cookie:%20a=b', '/auths/return?rd=/x%0d%0aX-Evil:%20y',
        '/pictures/x%0d%0aX-Evil:%20y.png')
    {
        my $answer = $roster->request(GET => $path, token => $user->{token});
        ok !defined $answer->{headers}{'x-evil'} && !(grep { /^a=b/ } @{$answer->{set_cookie}}),
            "$path: $answer->{status}";
    }
};

end_of_attacks;
