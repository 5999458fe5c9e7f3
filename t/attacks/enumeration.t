# CWE-203, CWE-204, CWE-208: whether an account exists is told by status, text, header fields, or the work that is done.
use v5.36;

use Test::More;
use Roster::Attack;

# What a client sees of an answer, without what differs each time.
sub seen ($answer) {
    my %headers = %{$answer->{headers}};
    delete @headers{qw(date x-request-id)};
    my $body = $answer->{body} =~ s/"expires_at":\d+//r;
    return join "\n", $answer->{status}, (map { "$_: $headers{$_}" } sort keys %headers), $body;
}

# The work of a request: statements, and whether a password was hashed, by the pool that answered. The least of several,
# as a worker prepares each statement once.
sub work ($roster, $code) {
    my $least;
    for (1 .. 6) {
        my $statements = $roster->access_line($code->())->{statements};
        $least = $statements if !defined $least || $statements < $least;
    }
    return $least;
}

attack 'a sign-in that is refused' => sub ($roster) {
    my $admin = $roster->add_user(role => 'admin');
    my $known = $roster->add_user(email => 'known.one@example.org');
    my $gone = $roster->add_user(email => 'gone.one@example.org');
    my $disabled = $roster->add_user(email => 'disabled@example.org', active => 0);
    my $pending = $roster->add_user(email => 'pending.one@example.org', role => 'pending');
    my $bare = $roster->add_user(email => 'bare.one@example.org');
    $roster->sql('DELETE FROM auth WHERE id = ?', $bare->{id});
    is $roster->ask(DELETE => "/users/$gone->{id}", $admin)->{status}, 200, 'an account is deleted';
    my %emails = (
        'of nobody' => 'nobody.one@example.org',
        'of a deleted account' => $gone->{email},
        'of a disabled account' => $disabled->{email},
        'of a pending account' => $pending->{email},
        'without a password' => $bare->{email},
        'in other letters' => 'KNOWN.ONE@example.org');
    my $ask =
        sub ($email, @more) { $roster->sign_in($email, password => 'wrong password', client => '192.0.2.77', @more) };
    my $expected = seen($ask->($known->{email}));
    my $statements = work($roster, sub { $ask->($known->{email}) });
    for my $name (sort keys %emails) {
        is seen($ask->($emails{$name})), $expected, "$name: the answer is the same";
        is work($roster, sub { $ask->($emails{$name}) }), $statements, '... and so is the number of statements';
    }
    is seen($ask->($disabled->{email}, password => $disabled->{password})), $expected,
        'the right password of a disabled account: the same';
    is $roster->sign_in($known)->{status}, 200, 'the right one signs in';
    # A hash is made for nobody, too: it is what takes a tenth of a second (t/bench/sign-in measures it).
    my @password = $roster->workers('password');
    for my $email ('nobody.two@example.org', $known->{email}) {
        my $answer = Roster::held_back(
            \@password,
            sub {
                my $socket = $roster->open_connection(client => '192.0.2.78');
                syswrite $socket,
                    Roster::Http::compose(
                    POST => '/auths/signin',
                    json => {email => $email, password => 'wrong password'});
                ok !IO::Select->new($socket)->can_read(0.3), "$email: the answer waits for the workers that hash";
                return $socket;
            });
        is Roster::Http::exchange($answer, '')->{status}, 400, '... and comes then';
    }
};

attack 'a forgotten password' => sub ($roster) {
    my $known = $roster->add_user(email => 'forgetful@example.org');
    my $disabled = $roster->add_user(email => 'forgetful.disabled@example.org', active => 0);
    my $ask = sub ($email) {
        $roster->post('/auths/password/forgot', undef, {email => $email}, client => '192.0.2.79');
    };
    my $first = $ask->($known->{email});
    is $first->{status}, 200, 'the answer is yes' or diag $first->{body};
    my $expected = seen($first);
    my $statements = work($roster, sub { $ask->($known->{email}) });
    for my $email ('nobody.three@example.org', $disabled->{email}) {
        is seen($ask->($email)), $expected, "$email: the answer is the same";
        is work($roster, sub { $ask->($email) }), $statements, '... and so is the number of statements';
    }
};

attack 'what those see who are signed in' => sub ($roster) {
    my ($user, $other) = map { $roster->add_user } 1, 2;
    my $nobody = Roster::uuid();
    my $session = $roster->new_session($other);
    my $jti = Roster::claims_of($session)->{jti};
    set_config(
        $roster,
        {
            auth => {enable_api_keys => JSON::PP::true},
            user => {permissions => {features => {api_keys => JSON::PP::true}}}
        });
    my $key = $roster->post('/auths/api_keys', $other, {name => 'k'})->{json};
    # The same whether it is somebody else's or nobody's.
    for my $case (
        ["/auths/sessions/$jti", "/auths/sessions/$nobody", 'DELETE'],
        ["/auths/api_keys/$key->{id}", "/auths/api_keys/$nobody", 'GET'],
        ["/auths/api_keys/$key->{id}", "/auths/api_keys/$nobody", 'DELETE'],
        ["/users/$other->{id}/sessions", "/users/$nobody/sessions", 'GET'],
        ["/users/$other->{id}/export", "/users/$nobody/export", 'GET'],
        ["/users/$other->{id}", "/users/$nobody", 'DELETE'],
        ["/users/$other->{id}/groups", "/users/$nobody/groups", 'GET'])
    {
        my ($theirs, $none, $method) = @$case;
        is seen($roster->ask($method => $theirs, $user)), seen($roster->ask($method => $none, $user)),
            "$method " . ($theirs =~ s{/[^/]*$}{/…}r) . ': of others as of nobody';
    }
    is $roster->get('/auths/', $session)->{status}, 200, 'the session goes on';
    is scalar @{$roster->get('/auths/api_keys', $other)->{json}}, 1, '... and the key is there';
    ok !(grep { $_->{jti} eq $jti } @{$roster->get('/auths/sessions', $user)->{json}}),
        'the list of sessions has one\'s own alone';
    set_config($roster, undef);
};

end_of_attacks;
