# CWE-524, CWE-525, CWE-349: a cache keeps what is one person's, or what an attacker has put into an answer.
use v5.36;

use Test::More;
use Roster::Attack;
use Roster::Document;
use Roster::Pictures;

attack 'no cache keeps what is of one person' => sub ($roster) {
    my $admin = $roster->add_user(role => 'admin');
    my $operations = Roster::Document::operations($roster);
    my (@kept, $count);
    for my $name (sort keys %$operations) {
        my ($method, $path) = @{$operations->{$name}}{qw(method path)};
        next if $method ne 'GET' || $name =~ /^(?:openapi|picture_file|ping|ready|status|site|sign_out)$/;
        $path =~ s/\{\w+\}/$admin->{id}/g;
        for my $who ($admin->{token}, undef, 'rubbish') {
            my $answer = $roster->request(GET => $path, token => $who);
            my $control = $answer->{headers}{'cache-control'} // '';
            push @kept, "$path $answer->{status}: $control" if $control !~ /\bno-store\b|\bprivate\b.*\bno-cache\b/;
            $count++;
        }
    }
    cmp_ok $count, '>', 80, 'routes were asked';
    is join(', ', @kept), '', 'each says so';
    like $roster->sign_in($admin)->{headers}{'cache-control'}, qr/no-store/, 'a sign-in, too';
    like $roster->sign_in($admin, password => 'wrong password')->{headers}{'cache-control'}, qr/no-store/,
        '... one that is refused';
};

attack 'a path that looks like a file' => sub ($roster) {
    my $user = $roster->add_user;
    my @endings =
        ('/x.css', '.css', '%2ex.css', ';x.css', '%00.css', '%0a.js', '/%2e%2e/x.png', '?x.css', '#x.css', '/.png');
    for my $path (map { ("/api/v1/auths/$_", "/api/v1/users/user/info$_") } @endings) {
        my $answer = $roster->request(GET => $path, cookie => $user->{token});
        my $control = $answer->{headers}{'cache-control'} // '';
        ok $answer->{status} >= 400 || $control =~ /no-store/, "$path: $answer->{status} $control";
        unlike $answer->{body}, qr/\Q$user->{email}\E/, '... without anything of the person' if $path !~ /[?#]/;
    }
};

attack 'what nginx keeps is the same for all' => sub ($roster) {
    my $user = $roster->add_user;
    my $bytes = png;
    is $roster->post('/auths/update/profile', $user, {name => 'N', profile_image_url => data_uri($bytes)})->{status},
        200,
        'a picture';
    my $path = picture_address($bytes);
    my @evil = (
        host => 'evil.example',
        headers => [
            'X-Forwarded-Host' => 'evil.example',
            'X-Forwarded-Scheme' => 'nothttps',
            'X-Original-URL' => '/evil',
            Origin => 'https://evil.example',
            'Accept-Encoding' => 'evil',
            Range => 'bytes=0-3',
            'X-HTTP-Method-Override' => 'POST',
            Cookie => 'token=evil'
        ]);
    my $first = $roster->request(GET => $path, @evil);
    for my $answer ($first, map { $roster->request(GET => $path) } 1, 2) {
        unlike join("\n", %{$answer->{headers}}, $answer->{body}), qr/evil/, 'nothing of the first request is in it';
        is join('', @{$answer->{set_cookie}}), '', '... nor a cookie';
    }
    is $roster->request(GET => $path)->{body}, $bytes, '... and all of the picture';
    is $roster->request(GET => "$path?cb=1")->{body}, $bytes, '... with a query, too';
    isnt $roster->request(GET => $path, body => 'x=y', headers => ['Content-Type' => 'text/plain'])->{status}, 500,
        'a GET with a body';
    is $roster->request(GET => $path)->{body}, $bytes, '... changes nothing';
    # A refusal must not be kept for those who come next.
    my $new = png;
    is $roster->request(GET => picture_address($new))->{status}, 404, 'a picture that is not there yet';
    $roster->post('/auths/update/profile', $user, {name => 'N', profile_image_url => data_uri($new)});
    is $roster->request(GET => picture_address($new))->{body}, $new, '... is there then';
};

attack 'answers that depend on a header field say so' => sub ($roster) {
    my $user = $roster->add_user;
    my $answer =
        $roster->request(GET => '/auths/', token => $user->{token}, headers => [Origin => 'https://app.example.net']);
    my $control = $answer->{headers}{'cache-control'} // '';
    ok $control =~ /no-store/ || ($answer->{headers}{vary} // '') =~ /Origin/i, 'no-store, or Vary: Origin';
    my $page = $roster->request(GET => '/account/sign-in.html');
    like $page->{headers}{'content-type'} // '', qr/html/, 'a page';
    unlike $page->{body}, qr/example/, '... has nothing of a request';
};

end_of_attacks;
