# CVE-2015-9235, CVE-2018-0114, CVE-2022-21449, CWE-347: tokens that were signed by nobody, or by whoever sends them.
use v5.36;

use Digest::SHA ();
use MIME::Base64 'encode_base64url';
use Test::More;
use Roster::Attack;

my $json = JSON::PP->new->canonical;

sub who ($roster, $token) { return in_short($roster->get('/api/v1/users/user/status', $token)) }

# A token with any header, signed with any key, or with a signature of these bytes.
sub forge ($roster, $id, $header, %options) {
    my $now = time;
    my $claims = {id => $id, jti => 'forged', iat => $now - 5, exp => $now + 3600};
    my $signed = join '.', map { encode_base64url(ref ? $json->encode($_) : $_) } $header, $claims;
    my $signature = $options{signature} // Digest::SHA::hmac_sha256($signed, $options{key} // $roster->key);
    return $roster->secret("$signed." . encode_base64url($signature));
}

attack 'no algorithm, and another one' => sub ($roster) {
    my $id = $roster->add_user(role => 'admin')->{id};
    is who($roster, forge($roster, $id, {alg => 'HS256', typ => 'JWT'})), '200', 'a good one';
    for my $alg (qw(none None NONE nOnE),
        'none ', '', undef, 0, JSON::PP::false, [], ['HS256'], {}, 'hs256', 'HS256 ', "HS256\0")
    {
        my $name = $json->allow_nonref->encode($alg);
        is who($roster, forge($roster, $id, {alg => $alg}, signature => '')), '401 UNAUTHORIZED',
            "alg $name, no signature";
        is who($roster, forge($roster, $id, {alg => $alg})), '401 UNAUTHORIZED', "alg $name, under ours";
    }
    is who($roster, forge($roster, $id, {alg => $_})), '401 UNAUTHORIZED', "alg $_ under the signature of HS256"
        for qw(HS384 HS512 RS256 RS384 PS256 ES256 ES256K EdDSA HS1 dir A128KW);
    is who($roster, forge($roster, $id, "{\"alg\":\"none\",\"alg\":\"HS256\"}", signature => '')), '401 UNAUTHORIZED',
        'two algorithms';
    is who($roster, forge($roster, $id, "{\"alg\":\"HS256\",\"alg\":\"none\"}", signature => '')), '401 UNAUTHORIZED',
        '... in the other order';
    is who($roster, forge($roster, $id, {alg => 'ES256'}, signature => "\0" x 64)), '401 UNAUTHORIZED',
        'ES256 with a signature of zeros';
    is who($roster, forge($roster, $id, {alg => 'HS256'}, signature => "\0" x 32)), '401 UNAUTHORIZED', 'HS256, too';
};

attack 'keys that the token brings along' => sub ($roster) {
    my $id = $roster->add_user(role => 'admin')->{id};
    my $mine = 'a key of the attacker, 32 bytes or more';
    my $jwk = {kty => 'oct', alg => 'HS256', k => encode_base64url($mine)};
    my %headers = (
        jwk => {jwk => $jwk},
        'jwk with a kid' => {jwk => {%$jwk, kid => 'x'}, kid => 'x'},
        jku => {jku => 'https://evil.example/keys.json', kid => 'x'},
        'jku as a file' => {jku => 'file:///dev/null'},
        x5u => {x5u => 'https://evil.example/chain.pem'},
        x5c => {x5c => [MIME::Base64::encode_base64($mine, '')]},
        'a key in the claim' => {key => $mine});
    is who($roster, forge($roster, $id, {alg => 'HS256', %{$headers{$_}}}, key => $mine)), '401 UNAUTHORIZED', $_
        for sort keys %headers;
    is who($roster, forge($roster, $id, {alg => 'HS256'}, key => $_)), '401 UNAUTHORIZED',
        'a key that is often left as it was'
        for '', 't0p-s3cr3t', 'secret', 'your-256-bit-secret', "\0" x 32, 'changeme';
};

attack 'kid' => sub ($roster) {
    my $id = $roster->add_user(role => 'admin')->{id};
    # The content of what a kid might be taken for: a file, a row, a key of ours.
    my %kids = (
        'an empty file' => ['/dev/null', ''],
        'a path above' => ['../../../../../../dev/null', ''],
        'a path that is encoded' => ['..%2f..%2f..%2fdev%2fnull', ''],
        'a file that everybody knows' =>
            ['/etc/debian_version', eval { Roster::Database::slurp('/etc/debian_version') } // 'x'],
        'SQL' => ["x' UNION SELECT 'key' -- ", 'key'],
        'SQL with a number' => ['1 OR 1=1', ''],
        'a command' => ['x; sleep 10', ''],
        'an address' => ['https://evil.example/key', 'x'],
        'NUL' => ["\0", ''],
        'of Redis' => ["x\r\nFLUSHALL\r\n", ''],
        'long' => ['k' x 5000, '']);
    my $our_id =
        $json->decode(MIME::Base64::decode_base64url((split /\./, $roster->new_session($roster->add_user))[0]))->{kid};
    $kids{'the id of our key'} = [$our_id, $our_id];
    is who($roster, forge($roster, $id, {alg => 'HS256', kid => $kids{$_}[0]}, key => $kids{$_}[1])),
        '401 UNAUTHORIZED', "kid is $_"
        for sort keys %kids;
    is who($roster, forge($roster, $id, {alg => 'HS256', kid => $_}, signature => '')), '401 UNAUTHORIZED',
        'kid is no text'
        for [], {}, 5, undef, JSON::PP::true;
    is who($roster, forge($roster, $id, {alg => 'HS256', kid => $our_id})), '200', 'with our key it is good';
    is who($roster, forge($roster, $id, {alg => 'HS256', kid => 'unknown'})), '200',
        '... as with a kid of another program that has the key';
    # Keys that were retired: t/e2e/64-secret-keys.t.
};

attack 'crit, b64, and another kind of token' => sub ($roster) {
    my $id = $roster->add_user(role => 'admin')->{id};
    is who($roster, forge($roster, $id, {alg => 'HS256', %$_})), '401 UNAUTHORIZED', $json->encode($_)
        for { crit => ['exp'] }
    , {crit => []}, {crit => ['b64'], b64 => JSON::PP::false}, {crit => 'exp'}, {crit => undef},
        {crit => ['x'], x => 1};
    is who($roster, forge($roster, $id, {alg => 'dir', enc => 'A128GCM'}) . '.x.y'), '401 UNAUTHORIZED',
        'an encrypted one';
  # What Roster signs itself for another purpose, by the same key: a device cookie is no token, nor is a link of a mail.
    my $answer = $roster->sign_in($roster->add_user);
    my ($device) = map { /^roster_device=(\w+)/ } @{$answer->{set_cookie}};
    ok $device, 'a device cookie';
    is who($roster, $device), '401 UNAUTHORIZED', '... is no token';
};

attack 'a long life' => sub ($roster) {
    my $user = $roster->add_user;
    my $now = time;
    my %claims = (id => $user->{id}, jti => 'x', iat => $now - 5);
    is who($roster, $roster->jwt({%claims, exp => $now + 60})), '200', 'a good one';
    is who($roster, $roster->jwt({%claims, exp => $_})), '401 UNAUTHORIZED', 'exp ' . $json->allow_nonref->encode($_)
        for $now - 1, 0, -1, undef, 'never', [], "9" x 30 . 'x', JSON::PP::true;
    is who($roster, $roster->jwt(\%claims)), '401 UNAUTHORIZED', 'no exp';
    is who($roster, $roster->jwt({%claims, exp => $now + 60, nbf => $now + 600})), '401 UNAUTHORIZED', 'not yet';
    is who($roster, $roster->jwt({%claims, exp => $now + 60, aud => 'another'})), '401 UNAUTHORIZED',
        'for another program';
};

end_of_attacks;
