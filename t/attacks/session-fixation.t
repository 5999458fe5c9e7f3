# CWE-384, CWE-613: session fixation: a session that the attacker knows becomes the one of who signs in, or outlives its end.
use v5.36;

use Test::More;
use Roster::Attack;

sub jti ($token) { return Roster::claims_of($token)->{jti} }
sub is_good ($roster, $token) { return $roster->get('/users/user/status', $token)->{status} == 200 }

attack 'a sign-in with a session that is there' => sub ($roster) {
    my ($attacker, $user) = ($roster->add_user, $roster->add_user);
    my $planted = $roster->new_session($attacker);
    my $answer = $roster->sign_in($user, cookie => $planted);
    is $answer->{json}{id}, $user->{id}, 'the session is of who signed in';
    isnt $answer->{json}{token}, $planted, '... and another one';
    isnt jti($answer->{json}{token}), jti($planted), '... with an id that nobody knew';
    like join("\n", @{$answer->{set_cookie}}), qr/^token=\Q$answer->{json}{token}\E;/m, '... and so is the cookie';
    is $roster->get('/auths/', $planted)->{json}{id}, $attacker->{id}, 'the planted one stays that of its owner';
};

attack 'ids of sessions from elsewhere' => sub ($roster) {
    my $user = $roster->add_user;
    my $token = $roster->token_for($user->{id});
    is $roster->get('/users/user/status', $token)->{status}, 200, 'a good token';
    $roster->no_secret($token);    # it stands in the log, as any address does
    for my $target (map { ("/users/user/status?$_=$token") } qw(token access_token jwt api_key auth session)) {
        is_problem $roster->request(GET => $target), 401, 'NOT_AUTHENTICATED',
            'none in the address: ' . ($target =~ s/=.*//r);
    }
    is_problem $roster->request(GET => "/users/user/status;token=$token"), 404, 'PATH_NOT_FOUND',
        'nor behind a semicolon';
    is_problem $roster->post('/users/user/info/update', undef, {token => $token}), 401, 'NOT_AUTHENTICATED',
        'nor in a body';
    my $answer = $roster->request(
        POST => '/auths/signin?token=chosen&jti=chosen',
        json => {email => $user->{email}, password => $user->{password}, token => 'chosen', jti => 'chosen'});
    isnt jti($answer->{json}{token}), 'chosen', 'nobody chooses the id of a new one';
};

attack 'what outlives its end' => sub ($roster) {
    my $user = $roster->add_user(password => 'the first password, long');
    my ($one, $two, $three) = map { $roster->new_session($user) } 1 .. 3;
    $roster->request(POST => '/auths/signout', token => $one);
    ok !is_good($roster, $one), 'signed out';
    ok is_good($roster, $two), '... the others stay';
    is $roster->post('/auths/update/password', $two,
        {password => 'the first password, long', new_password => 'the second password, long'})->{status}, 200,
        'a new password';
    ok !is_good($roster, $three), '... ends the others';
    my $admin = $roster->add_user(role => 'admin');
    my $four = $roster->new_session($user, password => 'the second password, long');
    is $roster->ask(POST => "/users/$user->{id}/disable", $admin)->{status}, 200, 'disabled';
    ok !is_good($roster, $four), '... all have ended';
    is $roster->ask(POST => "/users/$user->{id}/enable", $admin)->{status}, 200, 'enabled again';
    ok !is_good($roster, $four), '... and none has come back';
    # A deleted account, and another one with its address.
    $roster->ask(DELETE => "/users/$user->{id}", $admin);
    my $again = $roster->add_user(email => $user->{email});
    ok !is_good($roster, $four), 'nor with an account of the same address';
    ok is_good($roster, $roster->new_session($again)), '... which has sessions of its own';
};

end_of_attacks;
