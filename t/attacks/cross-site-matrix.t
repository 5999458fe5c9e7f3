# CWE-352: cross-site request forgery: a page of another site lets the browser change something with its cookie.
use v5.36;

use Test::More;
use Roster::Attack;
use Roster::Document;

# Each route that changes something, as a browser sends it from elsewhere.
attack 'all routes that are no GET' => sub ($roster) {
    my $admin = $roster->add_user(role => 'admin');
    my $operations = Roster::Document::operations($roster);
    my (@open, $count);
    for my $name (sort keys %$operations) {
        my ($method, $path) = @{$operations->{$name}}{qw(method path)};
        next if $method eq 'GET';
        $path =~ s/\{\w+\}/nothing/g;
        for my $type (
            'text/plain',
            'application/x-www-form-urlencoded',
            'multipart/form-data; boundary=x',
            'application/json', undef)
        {
            my $answer = $roster->request(
                $method => $path,
                cookie => $admin->{token},
                headers => [
                    'Sec-Fetch-Site' => 'cross-site',
                    Origin => 'https://evil.example',
                    'Content-Type' => $type,
                    Referer => 'https://roster.example.org/account/'
                ],
                body => '{"x":1}');
            push @open, "$method $path " . in_short($answer) if in_short($answer) ne '403 CROSS_SITE';
            last if $method eq 'DELETE';
        }
        $count++;
    }
    cmp_ok $count, '>', 40, 'there are routes';
# What needs no cookie is not concerned: whoever sends it knows a password, or the secret of a link or of a sign-in that
# waits for its second factor.
    my $anybody = qr{/auths/(?:signin|signup|password/forgot|password/reset|email/verify|
        mfa/(?:enroll/start|enroll/confirm|verify|recover))\b}x;
    is join(', ', grep { !/$anybody/ } @open), '', 'each is refused';
    is $roster->get('/users/user/status', $admin)->{status}, 200, 'and the cookie is as good as before';
};

attack 'methods' => sub ($roster) {
    my $user = $roster->add_user;
    my @from = (
        cookie => $user->{token},
        headers => [
            'Sec-Fetch-Site' => 'cross-site',
            Origin => 'https://evil.example',
            'X-HTTP-Method-Override' => 'DELETE',
            'X-Method-Override' => 'DELETE',
            'X-HTTP-Method' => 'DELETE'
        ]);
    is $roster->request(GET => '/auths/sessions?_method=DELETE', @from)->{status}, 200,
        'a GET stays a GET, whatever it says of itself';
    is $roster->request(GET => '/auths/', cookie => $user->{token})->{status}, 200, '... and has ended no session';
    isnt $roster->request(GET => '/auths/api_keys?name=x&_method=POST', @from)->{status}, 500, 'nor makes it a key';
    is $roster->sql('SELECT COUNT(*) FROM api_key WHERE user_id = ?', $user->{id}), 0, '... there is none';
    for my $method (qw(PUT PATCH TRACE CONNECT PROPFIND delete)) {
        my $answer = $roster->request($method => '/auths/sessions', @from);
        cmp_ok $answer ? $answer->{status} : 400, '>=', 400, "$method is no method of ours";
    }
};

attack 'pages of other origins read nothing' => sub ($roster) {
    my $user = $roster->add_user;
    for my $origin (
        'https://evil.example', 'null',
        'https://roster.example.org.evil.example', 'https://evilroster.example.org',
        'http://roster.example.org:81', 'https://roster.example.org@evil.example')
    {
        my $answer = $roster->request(GET => '/auths/', cookie => $user->{token}, headers => [Origin => $origin]);
        is join(' ', grep { /^access-control/ } sort keys %{$answer->{headers}}), '', "$origin may not read the answer";
        $answer = $roster->request(
            OPTIONS => '/auths/add',
            headers => [
                Origin => $origin,
                'Access-Control-Request-Method' => 'POST',
                'Access-Control-Request-Headers' => 'authorization, content-type'
            ]);
        is join(' ', grep { /^access-control/ } sort keys %{$answer->{headers}}), '', '... nor ask for leave';
    }
};

end_of_attacks;
