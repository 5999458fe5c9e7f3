# Second factors: setting one up, signing in with it, what ends, what is limited, and who needs one.
use v5.36;
use utf8;

use JSON::PP ();
use MIME::Base64 ();
use Test::More;
use Roster;
use Roster::Document;
use Roster::Factor qw(totp step_now);

my ($true, $false) = (JSON::PP::true, JSON::PP::false);
Roster::Document::use_compatibility('0.12');
my $roster = Roster->new(
    config => {compatibility => '0.12', rate_limit_factor => 1000, rate_limit_sign_in => 1000},
    api => {workers => 2});
my $admin = $roster->add_user(role => 'admin', created_at => time - 200_000);
my $ann = $roster->add_user(email => 'ann@example.org');
my $waiting = $roster->add_user(role => 'pending');
my $PASSWORD = $Roster::PASSWORD;

sub is_alive ($session, $name) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return is $roster->get('/users/user/info', $session)->{status}, 200, $name;
}

sub is_over ($session, $name) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return is_problem $roster->get('/users/user/info', $session), 401, 'INVALID_TOKEN', $name;
}

# The password was right, and this is the next step; its token.
sub step_of ($answer, $step, $name) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $body = $answer->{json};
    is_deeply [$answer->{status}, [sort keys %$body], $body->{next_step}],
        [200, [qw(challenge_token expires_in next_step)], $step], $name
        or diag $answer->{body};
    like $body->{challenge_token}, qr/\A[^.]+\.[A-Za-z0-9_-]{43}\z/, '... with a token';
    return $roster->secret($body->{challenge_token});
}

# Makes the account as if it had tried no code yet.
sub forget_tries ($who) {
    $roster->sql('UPDATE second_factor SET last_step = -1, tries = 0, tries_until = 0 WHERE user_id = ?', $who->{id});
    return;
}

# Sets up a factor: its secret and the codes for an emergency.
sub enrol ($token, $who) {
    my $setup = $roster->call(mfa_enroll_start => 200, json => {challenge_token => $token});
    $roster->secret($setup->{json}{manual_key});
    my $done = $roster->call(
        mfa_enroll_confirm => 200,
        json => {challenge_token => $token, code => totp($setup->{json}{manual_key})});
    $roster->secret($_) for @{$done->{json}{recovery_codes}};
    forget_tries($who);
    return ($setup->{json}{manual_key}, $done->{json});
}

sub verify ($token, $code, %more) {
    return $roster->request(POST => '/auths/mfa/verify', json => {challenge_token => $token, code => $code, %more});
}

# ---- Off ----

is_deeply $roster->call(mfa_status => 200, token => $ann->{token})->{json},
    {enabled => $false, required => $false, recovery_codes_remaining => 0}, 'nobody has one at first';
my $before = $roster->sign_in($ann)->{json};
is_alive($before, 'a password is enough');

# ---- Switched on ----

my $saved = $roster->call(
    admin_config_set => 200,
    token => $roster->sign_in($admin)->{json}{token},
    json => {ENABLE_MFA => $true});
is_deeply [@{$saved->{json}}{qw(ENABLE_MFA sessions_revoked)}], [$true, $true],
    'the setting is on, and says what it does';
is_over($before, 'sessions without a second factor have ended');
is_over($admin, '... those of administrators, too, and those of other programs');
is_deeply $roster->sign_in($waiting)->{json}, {next_step => 'pending'}, 'who waits for approval waits';
is_problem $roster->sign_in($ann, password => 'wrong password'), 400, 'INVALID_CRED', 'a wrong password is wrong';

my $answer = $roster->sign_in($ann);
my $token = step_of($answer, 'enroll', 'a right one leads to the enrolment');
cmp_ok abs($answer->{json}{expires_in} - 300), '<', 30, '... for five minutes';
like $answer->{headers}{'set-cookie'}, qr{\Amfa_challenge=\Q$token\E; Max-Age=\d+; Path=/api/v1/auths/mfa; HttpOnly},
    '... and a cookie of that step alone';
is_problem $roster->get('/users/user/info', undef, token => $token), 401, 'UNAUTHORIZED', 'the token is no session';
is_problem verify($token, '123456'), 401, 'CHALLENGE_EXPIRED', '... and no sign-in without an enrolment';
is_problem $roster->request(
    POST => '/auths/mfa/enroll/confirm',
    json => {challenge_token => $token, code => '123456'}
    ),
    401, 'INVALID_CODE', 'nor does it confirm what was never shown';
$roster->call(mfa_enroll_start => 'CHALLENGE_EXPIRED', json => {challenge_token => "$ann->{id}." . 'x' x 43});
$roster->call(mfa_enroll_confirm => 'CHALLENGE_EXPIRED', json => {challenge_token => 'x' x 43, code => '123456'});
is_problem $roster->request(POST => '/auths/mfa/verify', json => {challenge_token => $token, code => '1', more => 1}),
    422, 'VALIDATION_ERROR', 'a body has no other fields';

my $setup = $roster->call(mfa_enroll_start => 200, json => {challenge_token => $token})->{json};
my $secret = $roster->secret($setup->{manual_key});
like $secret, qr/\A[A-Z2-7]{32}\z/, 'a secret of 160 bits';
my ($svg) = $setup->{qr_code} =~ m{\Adata:image/svg\+xml;base64,(\S+)\z};
like MIME::Base64::decode($svg), qr{\A<svg xmlns="http://www\.w3\.org/2000/svg" viewBox="0 0 \d+ \d+".*</svg>\z},
    '... drawn';
is $roster->call(mfa_enroll_start => 200, json => {challenge_token => $token})->{json}{manual_key}, $secret,
    'it is the same when asked again';
unlike join(' ', map { $_ // '' } map { @$_ } $roster->sql('SELECT * FROM factor_challenge')),
    qr/\Q$secret\E|\Q$token\E/,
    'neither secret nor token is in the table';
$roster->call(mfa_enroll_confirm => 'INVALID_CODE', json => {challenge_token => $token, code => '000000'});
my $enrolled = $roster->call(mfa_enroll_confirm => 200, json => {challenge_token => $token, code => totp($secret)});
my @codes = map { $roster->secret($_) } @{$enrolled->{json}{recovery_codes}};
is_deeply [scalar @codes, scalar grep { /\A[0-9a-f]{32}\z/ } @codes], [10, 10], 'ten codes for an emergency';
is_alive($enrolled->{json}, '... and a session');
is_deeply [@{Roster::claims_of($enrolled->{json}{token})}{qw(mfa_verified auth_method typ)}],
    [$true, 'password', 'session'],
    '... that says how it began';
is_problem $roster->request(
    POST => '/auths/mfa/enroll/confirm',
    json => {challenge_token => $token, code => totp($secret)}
    ),
    401, 'CHALLENGE_EXPIRED', 'the challenge was good once';
is_deeply $roster->call(mfa_status => 200, token => $enrolled->{json}{token})->{json},
    {enabled => $true, required => $true, recovery_codes_remaining => 10}, 'the status tells of it';
unlike join(' ',
    map { $_ // '' } map { @$_ } $roster->sql('SELECT * FROM second_factor'),
    $roster->sql('SELECT * FROM recovery_code')),
    qr/\Q$secret\E|$codes[0]/, 'no table has the secret, or a code';

# ---- Signing in ----

$token = step_of($roster->sign_in($ann), 'verify', 'from then on a code is asked for');
is_problem verify($token, totp($secret)), 401, 'INVALID_CODE', 'not the one that was used for the enrolment';
my $session =
    $roster->call(mfa_verify => 200, json => {challenge_token => $token, code => totp($secret, step_now() + 1)});
is_alive($session->{json}, 'the next one begins a session');
like $session->{headers}{'set-cookie'}, qr/\Atoken=/, '... with its cookie';
is_alive($enrolled->{json}, '... beside the others');
$roster->call(mfa_verify => 'CHALLENGE_EXPIRED', json => {challenge_token => $token, code => totp($secret)});  # used up
$token = step_of($roster->sign_in($ann), 'verify', 'another sign-in');
$roster->call(mfa_verify => 'INVALID_CODE', json => {challenge_token => $token, code => totp($secret, step_now() + 1)});
is_problem verify($token, $codes[0]), 401, 'INVALID_CODE', 'a code for an emergency is no code of the authenticator';
is verify($token, uc " $codes[0] ", recovery => $true)->{status}, 200, '... but one for an emergency';
$token = step_of($roster->sign_in($ann), 'verify', 'once more');
is_problem verify($token, $codes[0], recovery => $true), 401, 'INVALID_CODE', '... and good once';
my $newer = step_of($roster->sign_in($ann), 'verify', 'a newer challenge');
is_problem verify($token, $codes[1], recovery => $true), 401, 'CHALLENGE_EXPIRED', '... ends the older one';
is_deeply [$roster->sql('SELECT tries FROM second_factor WHERE user_id = ?', $ann->{id})], [[9]],
    'each try was counted';

# ---- The step after a reload of the page ----

my $origin = 'http://localhost';

sub challenge (%headers) {
    return $roster->request(POST => '/auths/mfa/challenge', headers => [Host => 'localhost', %headers]);
}
is_problem challenge(Cookie => "mfa_challenge=$newer"), 403, 'CROSS_SITE', 'without an Origin nobody is told the step';
is_problem challenge(Cookie => "mfa_challenge=$newer", Origin => 'https://elsewhere.example.org'), 403, 'CROSS_SITE',
    '... nor a page of another site';
$roster->call(mfa_challenge => 'CROSS_SITE');
my $resumed = $roster->call(
    mfa_challenge => 200,
    headers => [Host => 'localhost', Origin => $origin, Cookie => "mfa_challenge=$newer"]);
is step_of($resumed, 'verify', 'the own page is'), $newer, '... and goes on with the same token';
$roster->call(mfa_challenge => 'CHALLENGE_EXPIRED', headers => [Host => 'localhost', Origin => $origin]);

# ---- Changes by who is signed in ----

forget_tries($ann);

sub fresh ($who, $secret) {
    forget_tries($who);
    my $next = step_of($roster->sign_in($who), 'verify', 'a fresh sign-in');
    my $answer = verify($next, totp($secret));
    is $answer->{status}, 200, '... with a code' or diag $answer->{body};
    forget_tries($who);
    return $answer->{json};
}
my $mine = fresh($ann, $secret);
my %mine = (token => $mine->{token});
$roster->sql('UPDATE session SET auth_time = auth_time - 400 WHERE user_id = ?', $ann->{id});
$roster->call(mfa_replace => 'REAUTHENTICATION_REQUIRED', %mine, json => {code => totp($secret)});
$roster->call(mfa_recovery_codes => 'REAUTHENTICATION_REQUIRED', %mine, json => {code => totp($secret)});
$roster->call(mfa_remove => 'REAUTHENTICATION_REQUIRED', %mine, json => {code => totp($secret)});
$roster->call(mfa_choose => 'REAUTHENTICATION_REQUIRED', %mine);
is_alive($mine, 'an old session changes no factor, but goes on');
$roster->sql('UPDATE session SET auth_time = auth_time + 400 WHERE user_id = ?', $ann->{id});
$roster->call(mfa_choose => 'FACTOR_EXISTS', %mine);
$roster->call(mfa_replace => 'INVALID_CODE', %mine, json => {code => '000000'});
$roster->call(mfa_recovery_codes => 'INVALID_CODE', %mine, json => {code => '000000'});
$roster->call(mfa_remove => 'ACTION_PROHIBITED', %mine, json => {code => totp($secret)});
my $fresh_codes =
    $roster->call(mfa_recovery_codes => 200, %mine, json => {code => totp($secret)})->{json}{recovery_codes};
is scalar @$fresh_codes, 10, 'new codes for an emergency';
$roster->secret($_) for @$fresh_codes;
is_over($mine, '... end the session');
$token = step_of($roster->sign_in($ann), 'verify', 'afterwards');
is_problem verify($token, $codes[2], recovery => $true), 401, 'INVALID_CODE', 'the old codes are no more';
is verify($token, $fresh_codes->[0], recovery => $true)->{status}, 200, '... but the new ones are';

$mine = fresh($ann, $secret);
my $replacing = step_of($roster->call(mfa_replace => 200, token => $mine->{token}, json => {code => totp($secret)}),
    'enroll', 'a code begins a replacement');
is_problem verify($replacing, totp($secret)), 401, 'CHALLENGE_EXPIRED', '... which is no sign-in';
is_alive($mine, '... and ends nothing yet');
my ($second, $given) = enrol($replacing, $ann);
is_deeply [keys %$given], ['recovery_codes'], 'its end gives codes, and no session';
isnt $second, $secret, '... and has another secret';
is_over($mine, '... and ends the others');
$token = step_of($roster->sign_in($ann), 'verify', 'after the replacement');
is_problem verify($token, totp($secret)), 401, 'INVALID_CODE', 'the old factor counts no more';
is verify($token, totp($second))->{status}, 200, '... but the new one does';

# ---- A lost factor ----

my $lost = fresh($ann, $second);
my $shown = $roster->ctl_json('user', 'mfa', 'show', $ann->{email});
is_deeply [@$shown{qw(state required required_by_setting recovery_codes_remaining)}], ['present', $true, $true, 10],
    'rosterctl shows the factor';
my $reset = $roster->ctl('user', 'mfa', 'reset', $ann->{email}, '--yes');
chomp(my $reset_token = $reset->{out});
like $roster->secret($reset_token), qr/\A[A-Za-z0-9_-]{43}\z/, 'rosterctl takes it away, and prints a token';
is_over($lost, '... and ends the sessions');
$token = step_of($roster->sign_in($ann), 'recover', 'then the token is asked for');
is_problem verify($token, totp($second)), 401, 'CHALLENGE_EXPIRED', '... and no code';
$roster->call(mfa_recover => 'INVALID_RESET_TOKEN', json => {challenge_token => $token, reset_token => 'x' x 43});
$roster->call(
    mfa_recover => 'CHALLENGE_EXPIRED',
    json => {challenge_token => "$ann->{id}." . 'x' x 43, reset_token => $reset_token});
my $recovered = $roster->call(mfa_recover => 200, json => {challenge_token => $token, reset_token => $reset_token});
my $enrolling = step_of($recovered, 'enroll', 'it leads to the enrolment');
is_problem $roster->request(
    POST => '/auths/mfa/recover',
    json => {challenge_token => $enrolling, reset_token => $reset_token}
    ),
    401, 'CHALLENGE_EXPIRED', '... once';
my ($third) = enrol($enrolling, $ann);
is_alive(fresh($ann, $third), 'and all is as before');

# ---- Limits ----

forget_tries($ann);
$token = step_of($roster->sign_in($ann), 'verify', 'a guesser');
is_problem verify($token, '000000'), 401, 'INVALID_CODE', "guess $_" for 1 .. 5;
my $limited =
    $roster->call(mfa_verify => 'RATE_LIMIT_EXCEEDED', json => {challenge_token => $token, code => totp($third)});
cmp_ok $limited->{headers}{'retry-after'}, '>', 60, '... is told when to come again';
$token = step_of($roster->sign_in($ann), 'verify', 'with a new challenge');
is_problem verify($token, '000000'), 401, 'INVALID_CODE', "guess $_" for 6 .. 10;
$token = step_of($roster->sign_in($ann), 'verify', 'and another one');
is_problem verify($token, totp($third)), 429, 'RATE_LIMIT_EXCEEDED', 'the account takes no eleventh code';
forget_tries($ann);
is verify($token, totp($third))->{status}, 200, '... until its time is over';

# ---- By choice, and by an administrator ----

my $boss = $roster->sign_in($admin)->{json};
my ($boss_secret, $boss_session) = enrol($boss->{challenge_token}, $admin);
my $added = $roster->call(
    user_add => 200,
    token => $boss_session->{token},
    json => {name => 'New', email => 'new@example.org', password => 'a password for new people', role => 'user'});
ok !exists $added->{json}{token}, 'a new account has no token while everybody needs a second factor';
is $roster->call(admin_config_set => 200, token => $boss_session->{token}, json => {ENABLE_MFA => $false})
    ->{json}{sessions_revoked},
    $true, 'switched off again';
is_over($boss_session, '... which ends all sessions');
my $plain = $roster->sign_in($ann)->{json};
is_alive($plain, 'a password is enough again');
is_deeply $roster->call(mfa_status => 200, token => $plain->{token})->{json},
    {enabled => $true, required => $false, recovery_codes_remaining => 10}, '... and the factor is kept';

my $bob = $roster->add_user(email => 'bob@example.org');
my $bobs = $roster->sign_in($bob)->{json};
$roster->call(mfa_replace => 'FACTORS_OFF', token => $bobs->{token}, json => {code => '123456'});
$roster->call(mfa_recovery_codes => 'FACTORS_OFF', token => $bobs->{token}, json => {code => '123456'});
$roster->call(mfa_remove => 'FACTORS_OFF', token => $bobs->{token}, json => {code => '123456'});
my $choosing = step_of($roster->call(mfa_choose => 200, token => $bobs->{token}), 'enroll', 'who wants one begins');
is_alive($bobs, '... and nothing has changed yet');
my ($bobs_secret) = enrol($choosing, $bob);
is_over($bobs, 'it ends the session');
$bobs = fresh($bob, $bobs_secret);
is_deeply $roster->call(mfa_status => 200, token => $bobs->{token})->{json},
    {enabled => $true, required => $true, recovery_codes_remaining => 10}, '... and is asked for from then on';
is_problem $roster->get('/users/user/info', undef, token => $roster->token_for($bob->{id}, typ => 'session')), 401,
    'INVALID_TOKEN',
    'a token that says nothing of a second factor is refused';
$roster->call(mfa_remove => 'INVALID_CODE', token => $bobs->{token}, json => {code => '000000'});
$roster->call(mfa_remove => 200, token => $bobs->{token}, json => {code => totp($bobs_secret)});
is_over($bobs, 'who removes it is signed out');
is_alive($roster->sign_in($bob)->{json}, '... and needs a password alone');

my $required = $roster->ctl('user', 'mfa', 'require', $bob->{email});
like $required->{out}, qr/now needs a second factor; all sessions were ended/,
    'an administrator says that one is needed'
    or diag $required->{err};
step_of($roster->sign_in($bob), 'enroll', '... and so it is');
like $roster->ctl('user', 'mfa', 'require', $bob->{email})->{out}, qr/It is so already/, '... once';
$roster->ctl('user', 'mfa', 'require', $bob->{email}, 'no');
is_alive($roster->sign_in($bob)->{json}, '... until it is not');

done_testing;
