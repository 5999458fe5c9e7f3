# CWE-565, CWE-384: cookie tossing: a host beside this one sets the cookie `token', with a session of the attacker or rubbish.
use v5.36;

use Test::More;
use Roster::Attack;

my $BOND = '__Host-roster_session';

# What a browser would keep of an answer, as NAME=VALUE.
sub kept ($answer) {
    return map { /^([^=]+=[^;]+);/ ? $1 : () } @{$answer->{set_cookie}};
}

sub value_of ($answer, $name) {
    return (map { /^\Q$name\E=(.*)/ ? $1 : () } kept($answer))[0];
}

# Who the cookies belong to: an id, or the answer.
sub owner ($roster, $cookies, %more) {
    my $answer =
        $roster->request(GET => '/api/v1/auths/', https => 1, headers => [Cookie => join '; ', @$cookies], %more);
    return $answer->{json}{id} // in_short($answer);
}

attack "the attacker's session beside one's own, by https" => sub ($roster) {
    my ($victim, $attacker) = map { $roster->add_user } 1, 2;
    my $answer = $roster->sign_in($victim, https => 1);
    my ($line) = grep { /^\Q$BOND\E=/ } @{$answer->{set_cookie}};
    like $line // '', qr{; Path=/; HttpOnly; SameSite=\w+; Secure$},
        'signing in sets a cookie that no other host can set';
    unlike $line // '', qr/Domain/i, '... as it is for this host alone';
    my @own = kept($answer);
    my $own = "token=$answer->{json}{token}";
    my $bond = "$BOND=" . (value_of($answer, $BOND) // '');
    my $theirs = 'token=' . $roster->new_session($attacker, https => 1);
    is owner($roster, \@own), $victim->{id}, 'the cookies of the sign-in are its session';
    # Browsers send the cookie with the longer path first, and of those with the same path the older one.
    is owner($roster, [$own, $bond, $theirs]), $victim->{id},
        'the attacker\'s cookie comes last: it counts for nothing';
    is owner($roster, [$theirs, $bond, $own]), $victim->{id}, '... first';
    is owner($roster, ['token=rubbish', $own, $bond, 'token=sk-rubbish', 'token=']), $victim->{id},
        '... rubbish, a key, nothing';
    is owner($roster, [(map { "token=x$_" } 1 .. 60), $own, $bond]), $victim->{id}, '... very many';
    is owner($roster, [$theirs, $bond]), '401 UNAUTHORIZED', 'alone it is refused, where somebody else had signed in';
    is owner($roster, ['token=sk-' . 'a' x 32, $bond]), '401 UNAUTHORIZED', '... a key, too';
    is owner($roster, [$own]), $victim->{id}, 'programs that know the cookie `token\' alone go on';
    is owner($roster, [], token => $answer->{json}{token}), $victim->{id}, '... and the header field counts as before';
};

# What it deletes, a browser deletes: so nobody is locked out.
attack 'nobody is locked out' => sub ($roster) {
    my ($victim, $attacker) = map { $roster->add_user } 1, 2;
    my ($own, $theirs) = map { 'token=' . $roster->new_session($_) } $victim, $attacker;
    is owner($roster, ['token=rubbish', $own], https => 0), $victim->{id},
        'by http: rubbish does not hide the own cookie';
    is owner($roster, [$own, 'token=rubbish'], https => 0), $victim->{id}, '... in whatever order';
    is owner($roster, [$own, 'token=' . $roster->token_for($victim->{id}, exp => time - 5)], https => 0), $victim->{id},
        '... nor does one that has expired';
    my $older = 'token=' . $roster->token_for($victim->{id}, iat => time - 500);
    is owner($roster, [$own, $older], https => 0), $victim->{id}, 'two of one person: one of them';
    for my $order ([$own, $theirs], [$theirs, $own]) {
        my $answer = $roster->request(GET => '/auths/', headers => [Cookie => join '; ', @$order]);
        is_problem $answer, 401, 'UNAUTHORIZED', 'two people: nobody can tell who it is';
        my @gone = map { /^token=;.*?(?:; Domain=([^;]+))?;[^;]*Path/ ? $1 // '' : () } @{$answer->{set_cookie}};
        is join(' ', sort map { s/^$/-/r } @gone), '- example.org roster.example.org', '... and all of them go';
    }
    my $answer = $roster->request(GET => '/auths/', host => '192.0.2.1', headers => [Cookie => "$own; $theirs"]);
    is scalar(grep { /Domain=/ } @{$answer->{set_cookie}}), 0, 'an address has no domains above it';
    is owner($roster, [$own], https => 0), $victim->{id}, 'the session is as it was';
};

attack 'signing out with a cookie that was tossed' => sub ($roster) {
    my ($victim, $attacker) = map { $roster->add_user } 1, 2;
    my $answer = $roster->sign_in($victim, https => 1);
    my $theirs = 'token=' . $roster->new_session($attacker);
    $answer = $roster->request(
        POST => '/auths/signout',
        https => 1,
        headers => [Cookie => join('; ', kept($answer), $theirs), Origin => 'https://roster.example.org']);
    is $answer->{status}, 200, 'a sign-out';
    like join(' ', deleted_cookies($answer)), qr/\Q$BOND\E/, '... deletes the cookie, too';
    is $roster->get('/auths/', $theirs =~ s/token=//r)->{json}{id}, $attacker->{id},
        '... and the other session goes on';
    is scalar(grep { /\Q$BOND\E/ } map { @{$_->{set_cookie}} } $roster->request(POST => '/auths/signout')), 0,
        'nothing is deleted that was not sent';
};

attack 'by http there is no such cookie' => sub ($roster) {
    is value_of($roster->sign_in($roster->add_user), $BOND), undef, 'browsers would refuse it';
};

end_of_attacks;
