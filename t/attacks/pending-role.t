# CVE-2026-44567, CWE-863: an account that waits to be let in, or has just lost its rights, calls what administrators may.
use v5.36;

use Test::More;
use Roster::Attack;
use Roster::Document;

# Every route that the document has, by what an unknown caller is told: what anybody may ask is not concerned.
attack 'all routes, as pending' => sub ($roster) {
    set_config($roster, {auth => {enable_api_keys => JSON::PP::true}});
    my $pending = $roster->add_user(role => 'pending');
    my $operations = Roster::Document::operations($roster);
    my (%answers, @open);
    for my $name (sort keys %$operations) {
        my ($method, $path) = @{$operations->{$name}}{qw(method path)};
        next if $name eq 'sessions_end';    # it may, and then nothing more
        next if !grep { $_ eq '401' } keys %{$operations->{$name}{responses}};
        $path =~ s/\{\w+\}/$pending->{id}/g;
        next if in_short($roster->request($method => $path)) ne '401 NOT_AUTHENTICATED';
        my $answer = in_short($roster->request(
            $method => $path,
            token => $pending->{token},
            $method eq 'POST' ? (json => {}) : ()));
        $answers{$answer}++;
        push @open, "$method $path: $answer" if $answer ne '401 ACCESS_PROHIBITED';
    }
    cmp_ok $answers{'401 ACCESS_PROHIBITED'}, '>', 50, 'nearly all are refused';
    # One's own account: keys, sessions, password, time zone, the own data, and what administrator to write to.
    my @strange = grep {
        !m{ (?:/api/v1)?/auths(?:/|/(?:api_keys?|sessions|confirm|update/(?:password|timezone)|export|mfa|admin/details)\b[^:]*)?: }
    } @open;
    is "@strange", '', 'the others concern the caller alone';
    set_config($roster, undef);
};

attack 'the token of an administrator who is one no more' => sub ($roster) {
    my ($admin, $other) = map { $roster->add_user(role => 'admin', created_at => $_) } 1, 2;
    my $token = $roster->new_session($other);
    is $roster->get('/users/all', $token)->{status}, 200, 'before';
    for my $role (qw(pending user)) {
        is $roster->update_user($admin, $other, {role => $role})->{status}, 200, "now $role";
        isnt $roster->get('/users/all', $token)->{status}, 200, '... and the old token is good for nothing';
    }
    # A token does not tell the role, whatever it says.
    my $forged =
        $roster->token_for($other->{id}, role => 'admin', is_admin => JSON::PP::true, jti => undef, iat => undef);
    isnt $roster->get('/users/all', $forged)->{status}, 200, 'nor does one count that says `admin\'';
};

end_of_attacks;
