# CVE-2016-5385, CWE-290: header fields that programs behind a proxy believe say who is calling, and from where.
use v5.36;

use Test::More;
use Roster::Attack;

# Without a proxy that is trusted, none of them says anything. With one: t/e2e/29-trusted-headers.t.
attack 'who is calling' => sub ($roster) {
    my $admin = $roster->add_user(role => 'admin');
    my $user = $roster->add_user;
    my @names = (
        qw(Remote-User X-Remote-User Remote-Email Remote-Groups Remote-Role X-Forwarded-User X-Forwarded-Email
            X-Forwarded-Preferred-Username X-Auth-Request-User X-Auth-Request-Email X-WebAuth-User X-Authenticated-User
            X-Authentik-Email X-OpenWebUI-User-Email X-OpenWebUI-User-Id X-OpenWebUI-User-Role X-User X-User-Id X-Roster-User
            X-Roster-Credential Roster-Admission Roster-Require X-Original-User X-Email X-Role REMOTE_USER HTTP_REMOTE_USER
            X_Forwarded_Email Proxy));
    my @as = map {
        my $name = $_;
        map { ($name => $_) } $admin->{email}
    } @names;
    is_problem $roster->request(GET => '/users/all', headers => \@as), 401, 'NOT_AUTHENTICATED', 'nobody stays nobody';
    is $roster->request(GET => '/auths/', token => $user->{token}, headers => \@as)->{json}{id}, $user->{id},
        'a user stays the user';
    is_problem $roster->request(GET => '/users/all', token => $user->{token}, headers => \@as), 401,
        'ACCESS_PROHIBITED',
        '... with the rights of one';
    is_problem $roster->request(
        POST => '/auths/signin',
        headers => \@as,
        json => {email => $admin->{email}, password => ''}
        ),
        400, 'INVALID_CRED', 'nobody signs in by them';
};

attack 'where from' => sub ($roster) {
    my @headers = map { ($_ => '203.0.113.99') } qw(X-Forwarded-For X-Real-IP Client-IP True-Client-IP X-Client-IP
        CF-Connecting-IP X-Cluster-Client-IP Forwarded X_FORWARDED_FOR X-Originating-IP Remote-Addr);
    my $answer = $roster->request(GET => '/users/all', client => '198.51.100.7', headers => \@headers);
    is $roster->access_line($answer)->{client}, '198.51.100.7', 'the address is that of the connection';
    for my $path (qw(/status /ready /ping)) {
        my $hidden = $roster->request(
            GET => $path,
            client => '198.51.100.7',
            headers => [map { ($_ => '127.0.0.1') } qw(X-Forwarded-For X-Real-IP Forwarded Client-IP)]);
        is $hidden->{status}, 404, "$path is for this machine alone";
        is $roster->request(GET => $path)->{status}, 200, '... which may ask for it';
    }
};

attack 'parameters of the web server' => sub ($roster) {
    my $user = $roster->add_user;
    # What nginx tells workers in FastCGI parameters comes from nginx alone.
    my @headers = map { ($_ => 'on') }
        qw(Roster-Hand-Over Roster-Renew HTTPS Roster-Hold ROSTER_HOLD Roster-Keep-Directory
        Script-Filename Document-Root Path-Info Request-Method Request-Uri Content-Length-Override X-Accel-Redirect
        X-Accel-Buffering X-Sendfile X-Original-URL X-Rewrite-URL);
    my $answer = $roster->request(GET => '/auths/', token => $user->{token}, headers => \@headers);
    is $answer->{status}, 200, 'they change nothing';
    is $answer->{json}{id}, $user->{id}, '... of who is calling';
    ok !(grep { /;\s*Secure/i } @{$answer->{set_cookie}}), '... nor of the scheme';
    for my $name (qw(X-Original-URL X-Rewrite-URL X-Accel-Redirect)) {
        is_problem $roster->request(GET => '/nothing', token => $user->{token}, headers => [$name => '/auths/']), 404,
            'PATH_NOT_FOUND', "$name leads nowhere";
    }
};

end_of_attacks;
