# CWE-639, CWE-178, CWE-706: an id that the database, the path or a list takes for somebody else's.
use v5.36;

use Test::More;
use Roster::Attack;

attack 'spellings of an id' => sub ($roster) {
    my ($admin, $caller) = ($roster->add_user(role => 'admin'), $roster->add_user);
    # What MariaDB's usual collations call equal to it: case, accents, spaces behind, what has no weight.
    my $id = 'abcdef-mixed-' . substr Roster::uuid(), 0, 8;
    my $user = $roster->add_user(id => $id);
    is $roster->get("/users/$id", $caller)->{json}{id}, $id, 'the id itself';
    my @spellings = (
        uc $id, ucfirst $id, "$id%20", "$id%09",
        "%20$id", "$id%00", "$id%00x", "$id%0a",
        "$id%e2%80%8b", "$id%cc%81", "$id%c2%ad", ($id =~ s/a/%c3%a0/r),
        ($id =~ s/a/%ef%bd%81/r), ($id =~ s/a/%c7%8e/r), ($id =~ s/-/%e2%80%90/r), "%25",
        '%5f%25', '%', "$id%27%20OR%201=1--%20", "$id;x",
        "$id%2f..", "..%2f$id", "$id,$caller->{id}", "$id%26id=x");
    for my $spelling (@spellings) {
        my $got = in_short($roster->get("/users/$spelling", $caller));
        like $got, qr/^40[04] /, "$spelling: $got";
        my $deleted = in_short($roster->ask(DELETE => "/users/$spelling", $admin));
        isnt $deleted, '200', '... deletes nobody';
    }
    is $roster->get("/users/$id", $caller)->{status}, 200, 'the account is still there';
    # Two accounts that differ in case alone are two.
    my $twin = $roster->add_user(id => uc $id);
    is $roster->get('/users/' . uc $id, $caller)->{json}{email}, $twin->{email},
        'another account in upper case is another one';
    is $roster->get("/users/$id", $caller)->{json}{email}, $user->{email}, '... and the first is the first';
    is $roster->get('/auths/', $roster->token_for(uc $id))->{json}{email}, $twin->{email}, 'tokens, too';
    isnt $roster->get('/auths/', $roster->token_for(ucfirst $id))->{status}, 200, '... and of nobody in between';
};

attack "other people's things" => sub ($roster) {
    my ($user, $victim) = map { $roster->add_user } 1, 2;
    set_config(
        $roster,
        {
            auth => {enable_api_keys => JSON::PP::true},
            user => {permissions => {features => {api_keys => JSON::PP::true}}}
        });
    my $session = $roster->new_session($victim);
    my $jti = Roster::claims_of($session)->{jti};
    my $key = $roster->post('/auths/api_keys', $victim, {name => 'k'})->{json};
    my @requests = (
        [DELETE => "/auths/sessions/$jti"],
        [GET => "/auths/api_keys/$key->{id}"],
        [POST => "/auths/api_keys/$key->{id}", {name => 'mine', routes => undef}],
        [DELETE => "/auths/api_keys/$key->{id}"],
        [DELETE => "/users/$victim->{id}/sessions/$jti"],
        [POST => "/users/$victim->{id}/update", {name => 'x', role => 'user'}],
        [POST => "/users/$victim->{id}/disable", {}],
        [POST => "/users/$victim->{id}/erase", {}],
        [GET => "/users/$victim->{id}/export"],
        [GET => "/users/$victim->{id}/permissions"]);
    for my $request (@requests) {
        my ($method, $path, $body) = @$request;
        my $got = in_short($roster->ask($method => $path, $user, $body ? (json => $body) : ()));
        like $got, qr/^4\d\d /, "$method $path: $got";
    }
    # Ids in a body or a query do not say who is meant where the caller is meant.
    for my $field (qw(id user_id userId uid owner email)) {
        my $value = $field eq 'email' ? $victim->{email} : $victim->{id};
        $roster->post("/users/user/info/update?$field=$value", $user, {$field => $value, mark => 'of the attacker'});
        $roster->post("/auths/update/profile?$field=$value",
            $user, {$field => $value, name => 'Attacker', profile_image_url => '/user.png'});
        is $roster->get("/users/user/info?$field=$value", $user)->{json}{mark}, 'of the attacker',
            "$field: it is one's own";
    }
    my ($row) = $roster->rows('SELECT name, info FROM user WHERE id = ?', $victim->{id});
    unlike join(' ', map { $_ // '' } values %$row), qr/attacker/i, 'nothing of it is the victim\'s';
    is $roster->get('/auths/', $session)->{status}, 200, 'the session goes on';
    set_config($roster, undef);
};

attack 'files beside the pictures' => sub ($roster) {
    for my $path (
        qw(/pictures/../roster.conf /pictures/..%2fsecret.key /pictures/%2e%2e/secret.key /pictures//etc/passwd
        /pictures/....//secret.key /pictures/..%5csecret.key /pictures/temporary/ /pictures/ /user.png/../../secret.key
        /account/../../secret.key /account/..%2f..%2fsecret.key /account/%2e%2e/%2e%2e/nginx.conf /admin/..;/secret.key
        /pictures/..%c0%afsecret.key /pictures/..%252fsecret.key /static/../nginx.conf /.git/config /roster.conf))
    {
        my $answer = $roster->request(GET => $path);
        ok $answer->{status} != 200 || $answer->{body} =~ /^<!doctype html>/i, "$path: $answer->{status}";
    }
};

end_of_attacks;
