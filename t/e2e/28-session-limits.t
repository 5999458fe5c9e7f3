# Sessions that are over before they expire: those that nobody uses (session_idle), on each worker, with what is kept in
# memory and without; and those that are too many for one user (sessions_per_user), whoever signs in at the same time.
use v5.36;

use JSON::PP ();
use Test::More;
use Time::HiRes ();

use Roster;

my $json = JSON::PP->new->utf8;
my $roster = Roster->new(
    config => {rate_limits => 'no', identity_cache => '5s', session_idle => '3s'},
    api => {workers => 2},
    password => {workers => 4});
my $admin = $roster->add_user(role => 'admin', created_at => 1_000_000);
my $ada = $roster->add_user;
my $over = '401 INVALID_TOKEN';

sub jti_of ($token) { return Roster::claims_of($token)->{jti} }
sub state_of ($token) { return in_short($roster->get('/auths/', $token)) }

sub state_on_all ($token) {
    my %states = map { (in_short($_) => 1) } $roster->on_each_worker('api', sub { $roster->get('/auths/', $token) });
    return join ', ', sort keys %states;
}

sub ended ($jti) {
    return
        map { $json->decode($_->[0])->{reason} }
        $roster->sql(q{SELECT detail FROM audit WHERE action = 'session_end' AND object = ?}, $jti);
}

# ---- Idle: by the clock, with the identity table ----

ok wait_until(10, sub { $roster->status->{identity_table}{state} eq 'used' }), 'there is an identity table'
    or diag explain $roster->status;
ok wait_until(10, sub { $roster->status->{touches}{state} eq 'gathered' }), 'and a housekeeper';

# One session that is used for longer than session_idle, and one that is not. A machine that stands still for too long
# leaves the one unused, too: then again.
my ($used, $unused, $gap);
for (1 .. 5) {
    ($used, $unused) = map { $roster->new_session($ada) } 1 .. 2;
    is state_of($_), '200', 'a session begins' for $used, $unused;
    my ($begun, $before) = (Time::HiRes::time, Time::HiRes::time);
    my @states;
    for ($gap = 0; Time::HiRes::time - $begun < 6;) {
        push @states, state_of($used);
        my $now = Time::HiRes::time;
        ($gap, $before) = ($now - $before > $gap ? $now - $before : $gap, $now);
        Time::HiRes::sleep(0.1);
    }
    next if $gap > 2;
    is_deeply [grep { $_ ne '200' } @states], [], 'a session that is used goes on';
    is state_on_all($unused), $over, 'one that nobody used is over, for each worker';
    last;
}
cmp_ok $gap, '<=', 2, 'the machine was quick enough for that';
is in_short($roster->get('/verify', $unused)), '401', '/verify refuses it';
is in_short($roster->get('/verify', $used)), '204', '... and takes the other';
is_problem $roster->get('/auths/', undef, cookie => $unused), 401, 'INVALID_TOKEN', 'as a cookie, too';
is_deeply [map { $_->{jti} } @{$roster->call(sessions_list => 200, token => $used)->{json}}], [jti_of($used)],
    'a list has the one that goes on';
is state_of($ada->{token}), '200', 'a token without a session here ends when it expires';

# ---- Idle: by the row ----

ok $roster->reconfigure(identity_cache => '0', session_idle => '20m');

sub seen ($token, $ago) {
    $roster->sql('UPDATE session SET last_seen_at = ? WHERE jti = ?', time - $ago, jti_of($token));
    return;
}
my $idle = 20 * 60 + 20;    # and a sixtieth of it
$used = $roster->new_session($ada);
seen($used, $idle - 15);
is state_of($used), '200', 'within session_idle, and the time that a use may stay unnoted';
$roster->settle;
cmp_ok $roster->sql('SELECT last_seen_at FROM session WHERE jti = ?', jti_of($used)), '>', time - 60,
    '... and that is a use';
$unused = $roster->new_session($ada);
my $list = $roster->call(sessions_list => 200, token => $used)->{json};
is_deeply [map { $_->{idle_at} - $_->{last_seen_at} } @$list], [($idle) x @$list], 'a list tells when it would be over';
seen($unused, $idle);
is state_on_all($unused), $over, 'not used for longer: over';
my %account =
    map { ($_->{id} => $_->{account}{sessions}) } @{$roster->get('/users/?include=account', $admin)->{json}{users}};
is $account{$ada->{id}}, @$list - 1, 'it counts no more';
is_deeply [grep { $_->{jti} eq jti_of($unused) } @{$roster->get('/auths/admin/sessions', $admin)->{json}{sessions}}],
    [], 'nor is it in the list of everybody';
unlike $roster->ctl('session', 'list', '--json')->{out}, qr/${\ jti_of($unused)}/, 'nor in that of rosterctl';
my $shown = $json->decode($roster->ctl('session', 'list', '--json')->{out});
is $shown->[0]{idle_at} - $shown->[0]{last_seen_at}, $idle, '... which tells the same of the others';
like $roster->ctl('session', 'list')->{out}, qr/UNUSED UNTIL/, '... in a column of the table';
like $roster->ctl('token', {input => $unused})->{out}, qr/session_idle/, 'and why the token is over';

# It comes back where the administrators say so, until the housekeeper has written its end.
seen($unused, $idle + 30);
ok $roster->reconfigure(session_idle => '30m');
is state_of($unused), '200', 'a greater session_idle brings it back';
ok $roster->settle, '... and that is a use, too';
ok $roster->reconfigure(session_idle => '20s');
seen($unused, 3600);
ok wait_until(30, sub { ended(jti_of($unused)) }), 'the housekeeper writes its end';
is_deeply [ended(jti_of($unused))], ['session_idle'], '... into the audit, once, with the reason';
ok $roster->reconfigure(session_idle => undef);
is state_on_all($unused), $over, 'it stays over without session_idle';
unlike $roster->ctl('session', 'list')->{out}, qr/UNUSED UNTIL/, '... and rosterctl has no such column';
is $roster->call(sessions_list => 200, token => $roster->new_session($ada))->{json}[0]{idle_at}, undef,
    '... nor a list a time';

# ---- How many ----

ok $roster->reconfigure(sessions_per_user => 3);
my $eve = $roster->add_user;
my @tokens = map { $roster->new_session($eve) } 1 .. 3;
$roster->sql('UPDATE session SET created_at = created_at - ? WHERE jti = ?', 100 - $_, jti_of($tokens[$_])) for 0 .. 2;
my $another = $roster->new_session($ada);
is_deeply [map { state_of($_) } @tokens], [('200') x 3], 'as many as may be';
push @tokens, $roster->new_session($eve);
is_deeply [map { state_on_all($_) } @tokens], [$over, ('200') x 3], 'a sign-in more ends the oldest';
is_deeply [ended(jti_of($tokens[0]))], ['sessions_per_user'], '... and the audit tells why';
is $roster->redis('EXISTS', 'open-webui:auth:token:' . jti_of($tokens[0]) . ':revoked'), 1, '... and Redis';
is state_of($another), '200', 'those of others stay';
is state_of($eve->{token}), '200', '... and a token without a session';
seen($tokens[1], 0);
$roster->sign_in($eve, password => 'wrong password');
is state_of($tokens[1]), '200', 'a sign-in that is refused ends none';
$roster->sql('UPDATE session SET created_at = created_at - 10 WHERE jti = ?', jti_of($tokens[3]));
my @many = at_once(
    map {
        sub { $roster->sign_in($eve)->{json}{token} }
    } 1 .. 6);
is $roster->sql('SELECT COUNT(*) FROM session WHERE user_id = ? AND revoked_at IS NULL', $eve->{id}), 3,
    'sign-ins at once leave no more';
is_deeply [map { state_of($_) } @tokens], [($over) x 4], '... and the oldest have gone';
ok $roster->reconfigure(sessions_per_user => 1);
my $last = $roster->new_session($eve);
is_deeply [map { $_->{jti} } @{$roster->call(sessions_list => 200, token => $last)->{json}}], [jti_of($last)],
    'with a smaller number, one sign-in ends all that are too many';

ok wait_until(
    20,
    sub {
        $roster->get('/auths/', $admin);    # workers tell Redis behind a request
        $roster->redis('EXISTS', 'open-webui:auth:token:' . jti_of($unused) . ':revoked');
    }
    ),
    'Redis was told of the one that nobody used';

done_testing;
