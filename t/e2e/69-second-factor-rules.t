# Second factors: who needs one by rule and header, one code by several workers at once, restarts, other authenticators, a
# change of keys, and what an import of Open WebUI brings.
use v5.36;
use utf8;

use Digest::SHA ();
use JSON::PP ();
use MIME::Base64 ();
use Test::More;
use Roster;
use Roster::Factor qw(totp step_now base32_bytes);

my $json = JSON::PP->new->canonical;
my $roster = Roster->new(
    config => {
        rate_limits => 'no',
        second_factor_for => 'role:admin, group:"Night Shift"',
        trusted_proxies => '198.51.100.7'
    },
    api => {workers => 3});
my $admin = $roster->add_user(role => 'admin', created_at => time - 200_000);
my $ann = $roster->add_user(email => 'ann@example.org');

sub next_step ($who) {
    my $body = $roster->sign_in($who)->{json};
    $roster->secret($body->{challenge_token} // $body->{token});
    return $body;
}

sub forget_tries ($who) {
    $roster->sql('UPDATE second_factor SET last_step = -1, tries = 0 WHERE user_id = ?', $who->{id});
    return;
}

sub enrol ($who) {
    my %challenge = (challenge_token => next_step($who)->{challenge_token});
    my $secret = $roster->request(POST => '/auths/mfa/enroll/start', json => {%challenge})->{json}{manual_key};
    my $done = $roster->request(
        POST => '/auths/mfa/enroll/confirm',
        json => {%challenge, code => totp($roster->secret($secret))});
    is $done->{status}, 200, 'a factor is set up' or diag $done->{body};
    $roster->secret($_) for @{$done->{json}{recovery_codes}}, $done->{json}{token};
    forget_tries($who);
    return $secret;
}

sub verify ($token, $code, %more) {
    return $roster->request(POST => '/auths/mfa/verify', json => {challenge_token => $token, code => $code, %more});
}

# ---- By rule ----

ok next_step($ann)->{token}, 'a user needs none';
is next_step($admin)->{next_step}, 'enroll', 'an administrator does';
is $roster->get('/users/user/info', $admin)->{status}, 401, '... so a session without one is over';
my $before = next_step($ann);
my $group = Roster::uuid();
$roster->sql('INSERT INTO `group` (id, user_id, name, description, created_at, updated_at) VALUES (?, ?, ?, ?, 0, 0)',
    $group, $admin->{id}, 'Night Shift', '');
is $roster->get('/users/user/info', $before)->{status}, 200, 'nor does who is in no such group';
is $roster->ctl('group', 'add-member', 'Night Shift', $ann->{email})->{status}, 0, 'who becomes a member';
is $roster->get('/users/user/info', $before)->{status}, 401, '... needs one at once';
my $secret = enrol($ann);
my $shown = $roster->ctl_json('user', 'mfa', 'show', $ann->{email});
is_deeply [@$shown{qw(state required required_by_choice required_by_setting)}],
    ['present', JSON::PP::true, JSON::PP::false, JSON::PP::false], 'rosterctl shows that it is needed';

# ---- At once ----

# A challenge each would end the one before: so the same code for the same challenge, and for a change of the factor.
my $token = next_step($ann)->{challenge_token};
my $code = totp($secret);
my @statuses = sort map { $_->() } map {
    in_background(sub { verify($token, $code)->{status} })
} 1 .. 6;
is_deeply [grep { $_ == 200 } @statuses], [200], 'one code signs in once, whoever asks at the same time'
    or diag "@statuses";
forget_tries($ann);
my $session = do {
    my $done = verify(next_step($ann)->{challenge_token}, totp($secret));
    $roster->secret($done->{json}{token});
    $done->{json};
};
forget_tries($ann);
@statuses = sort map { $_->() } map {
    in_background(sub {
        $roster->request(POST => '/auths/mfa/replace', token => $session->{token}, json => {code => totp($secret)})
            ->{status};
    })
} 1 .. 6;
is_deeply [grep { $_ == 200 } @statuses], [200], '... and begins one change' or diag "@statuses";

# ---- Restarts ----

forget_tries($ann);
$token = next_step($ann)->{challenge_token};
$roster->restart('mariadb');
$roster->restart('redis');
$roster->restart('roster');
ok wait_until(20, sub { $roster->get('/auths/site')->{status} == 200 }), 'everything was restarted';
is verify($token, totp($secret))->{status}, 200, '... and the challenge is good';
is verify($token, totp($secret, step_now() + 1))->{status}, 401, '... once';

# ---- Another authenticator ----

SKIP: {
    (grep { -x "$_/oathtool" } split /:/, $ENV{PATH}) or skip 'there is no oathtool', 2;
    chomp(my $given = qx(oathtool --totp --base32 $secret));
    forget_tries($ann);
    my $step = step_now();
    is $given, totp($secret, $step), 'oathtool gives the same code' if step_now() == $step;
    is verify(next_step($ann)->{challenge_token}, $given)->{status}, 200, '... and it signs in';
}

# ---- Another key ----

forget_tries($ann);
is $roster->ctl('secret', 'rotate')->{status}, 0, 'another key signs';
$roster->reload;
is verify(next_step($ann)->{challenge_token}, totp($secret))->{status}, 200, '... and the factor can be read';
my $sealed = $roster->sql('SELECT secret FROM second_factor WHERE user_id = ?', $ann->{id});
is $roster->ctl('secret', 'retire', '--yes')->{status}, 0, 'the old one goes';
$roster->reload;
isnt $roster->sql('SELECT secret FROM second_factor WHERE user_id = ?', $ann->{id}), $sealed,
    '... after all were sealed anew';
forget_tries($ann);
is verify(next_step($ann)->{challenge_token}, totp($secret))->{status}, 200, '... so the factor can still be read';
open my $file, '<', "$roster->{directory}/secret.key" or die $!;
chomp(my $key = readline $file);
close $file;
$roster->secret($key);

# ---- An import of Open WebUI ----

# As its library does: HKDF-SHA256 without a salt, then Fernet.
sub fernet ($plain) {
    my $pseudo = Digest::SHA::hmac_sha256($key, "\0" x 32);
    my $derived = Digest::SHA::hmac_sha256("open-webui/mfa-encryption/v1\x01", $pseudo);
    my $vector = Roster::random_bytes(16);
    my $openssl = sprintf 'openssl enc -aes-128-cbc -K %s -iv %s -a -A', map { unpack 'H*', $_ } substr($derived, 16),
        $vector;
    my $cipher = MIME::Base64::decode_base64(qx(printf %s $plain | $openssl));
    my $signed = "\x80" . pack('Q>', time) . $vector . $cipher;
    return MIME::Base64::encode_base64url($signed . Digest::SHA::hmac_sha256($signed, substr $derived, 0, 16)) . '=';
}
my $theirs = $roster->secret('JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP');
my $recovery = $roster->secret('0123456789abcdef' x 2);
my $eve = $roster->add_user(email => 'eve@example.org', role => 'admin');
$roster->sql(
    'UPDATE auth SET mfa = ? WHERE id = ?',
    $json->encode({
        secret => fernet($theirs) =~ s/=+\z//r . '=' x ((4 - length(fernet($theirs) =~ s/=+\z//r) % 4) % 4),
        last_step => step_now() - 5,
        recovery_hashes => [Digest::SHA::sha256_hex($recovery)]
    }),
    $eve->{id});
my $step = next_step($eve);
is $step->{next_step}, 'verify', 'who had a factor there is asked for it';
is verify($step->{challenge_token}, totp($theirs))->{status}, 200, '... and it is the same one';
is verify(next_step($eve)->{challenge_token}, $recovery, recovery => JSON::PP::true)->{status}, 200,
    '... and so are the codes for an emergency';
is $roster->sql('SELECT mfa FROM auth WHERE id = ?', $eve->{id}), undef, '... which are in tables of their own now';
my $mallory = $roster->add_user(email => 'mallory@example.org', role => 'admin');
$roster->sql('UPDATE auth SET mfa = ? WHERE id = ?', '{broken', $mallory->{id});
is next_step($mallory)->{next_step}, 'recover', 'what can not be read asks for an administrator';

# ---- Trusted headers ----

ok $roster->reconfigure(trusted_email_header => 'X-Email'), 'a proxy says who it is';
my %proxy = (client => '198.51.100.7', json => {email => '', password => ''});
sub by_header ($email) { return $roster->request(POST => '/auths/signin', %proxy, headers => ['X-Email' => $email]) }
my $answer = by_header($ann->{email});
is $answer->{json}{next_step}, 'verify', 'which is no second factor';
$roster->secret($answer->{json}{challenge_token});
is $roster->ctl('settings', 'set', 'MFA_ALLOW_TRUSTED_HEADER_BYPASS=yes')->{status}, 0, 'but may be enough';
$answer = by_header($ann->{email});
ok $answer->{json}{token}, '... where the setting says so' or diag $answer->{body};
is $roster->request(
    GET => '/users/user/info',
    token => $answer->{json}{token},
    client => '198.51.100.7',
    headers => ['X-Email' => $ann->{email}]
)->{status}, 200, '... for the session, too';
is by_header('somebody-new@example.org')->{json}{next_step} // 'session', 'session', 'whom nobody knows needs none';

done_testing;
