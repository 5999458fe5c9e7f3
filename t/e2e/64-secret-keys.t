# rosterctl secret: a new key signs, the older ones verify until they are retired, and nobody is signed out before that.
use v5.36;

use MIME::Base64 ();
use Test::More;
use Roster;

my $roster = Roster->new;
my $file = "$roster->{directory}/secret.key";
my $admin = $roster->add_user(role => 'admin', created_at => 1_000_000);
my $ada = $roster->add_user;

sub ends_with ($result, $status, $pattern, $name) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $good = $result->{status} eq $status && $result->{out} . $result->{err} =~ $pattern;
    return ok($good, $name) || diag "status $result->{status}\nout: $result->{out}\nerr: $result->{err}";
}

sub lines () {
    my @lines = split /\n/, Roster::Database::slurp($file);
    $roster->secret($_) for @lines;
    return @lines;
}

sub kid ($token) {
    return JSON::PP::decode_json(MIME::Base64::decode_base64url((split /\./, $token)[0]))->{kid};
}

sub who ($token) { return $roster->get('/auths/', $token)->{status} }

sub listed () {
    return [map { [@$_{qw(key signs sessions)}] } @{$roster->ctl_json('secret', 'list')}];
}

# A sign-in, with the cookie of a device where there is one: the token, and the cookie that it sets.
sub sign_in ($cookie = undef) {
    my $answer = $roster->sign_in($ada, defined $cookie ? (headers => [Cookie => "roster_device=$cookie"]) : ());
    my ($device) = map { /^roster_device=([0-9a-f]+)/ } @{$answer->{set_cookie}};
    return ($answer->{json}{token}, $device // '');
}

# The number of a device: another one for a device that is not known.
sub number ($device) { return substr $device, 2, 32 }

# A reload by rosterctl, after which no worker is left that has the old keys.
sub reloaded () {
    my %old = map { ($_ => 1) } $roster->workers;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $result = $roster->ctl('reload');
    my $done = $result->{status} == 0 && wait_until(
        15,
        sub {
            my @now = $roster->workers;
            @now == keys %old && !grep { $old{$_} } @now;
        });
    return ok($done, 'a reload') || diag $result->{err};
}
my ($true, $false) = (JSON::PP::true, JSON::PP::false);

# ---- One key ----

chmod 0640, $file;
my ($old, $device) = sign_in();
is who($old), 200, 'a session';
my $first = kid($old);
like number($device), qr/^[0-9a-f]{32}$/, '... with a cookie of the device';
like $first, qr/^[0-9a-f]{8}$/, '... whose token names its key';
is who($ada->{token}), 200, 'a token of another program names none';
is_deeply listed(), [[$first, $true, 1]], 'one key signs, and has one session';
ends_with $roster->ctl('secret', 'retire'), 6, qr/one key only/, 'it is not removed';

# ---- Rotation ----

my ($line) = lines();
ends_with $roster->ctl('secret', 'rotate'), 0,
    qr/^The key [0-9a-f]{8} signs new sessions; those of the older keys stay valid\.\nNow reload the service, .*rosterctl reload$/,
    'a new key';
my @lines = lines();
is scalar @lines, 2, 'the file has two lines';
is $lines[1], $line, '... the second is what was the only one';
is sprintf('%04o', (stat $file)[2] & 07777), '0640', '... and keeps its mode';
is_deeply [glob "$file.*"], [], '... with nothing beside it';
is who($old), 200, 'before the reload, the old session is valid';
is kid($roster->new_session($admin)), $first, '... and the old key signs';
reloaded();
is who($old), 200, '... after which the old session is valid';
is who($ada->{token}), 200, '... and so is a token of another program with the old key';
my ($new, $moved) = sign_in($device);
my $second = kid($new);
isnt $second, $first, '... and another key signs';
is who($new), 200, '... a session that is valid, too';
is_deeply listed(), [[$second, $true, 1], [$first, $false, 2]], 'each key has its sessions';
is number($moved), number($device), 'the device is still known by its cookie';
isnt $moved, $device, '... which is signed anew';
ends_with $roster->ctl('token', {input => $old}), 0, qr/ACCEPTED/, 'rosterctl token accepts the old one';

# Sessions of before the column are those of the oldest key.
$roster->sql('UPDATE session SET key_id = NULL WHERE jti = ?', Roster::claims_of($old)->{jti});
is_deeply listed(), [[$second, $true, 1], [$first, $false, 2]],
    'sessions whose key was not noted are of the oldest one';

# ---- The old one goes ----

ends_with $roster->ctl('secret', 'retire', $second), 6, qr/this key signs new sessions/, 'not the key that signs';
ends_with $roster->ctl('secret', 'retire', 'nothing'), 3, qr/no such key/, 'no key of another name';
ends_with $roster->ctl('secret', 'retire', $first), 2, qr/add --yes/, 'not without a question, as it has sessions';
ends_with $roster->ctl('secret', 'retire', $first, '--yes'), 0, qr/^Removed 1 key\.\n.*rosterctl reload/, 'the old key';
is_deeply [lines()], [$lines[0]], '... is no longer in the file';
is who($old), 200, 'before the reload the old session is valid';
reloaded();
is who($old), 401, '... after which it is not';
is who($ada->{token}), 401, '... nor a token of another program with the old key';
is who($new), 200, '... and the new one is';
my $list = $roster->ctl('secret', 'list');
ends_with $list, 0,
    qr/^KEY +SIGNS +SESSIONS\n\Q$second\E +yes +2\n1 more session of keys that are no longer in the file/,
    'what is left of it is told';
is number((sign_in($moved))[1]), number($device), 'the device is known by the new key, which signed its cookie';
isnt number((sign_in($device))[1]), number($device), 'a cookie of the old key is one of an unknown device';

# ---- As root, with a service of another user ----

SKIP: {
    skip 'only root may become another user', 6 if $> != 0;
    chmod 0755, $roster->{directory};
    chmod 0600, $file;
    $roster->set_directives(user => 'nobody');
    is $roster->ctl('secret', 'rotate')->{status}, 0, 'root writes a file that nobody else may';
    is_deeply [(stat $file)[2, 4, 5]], [0100600, 0, 0], '... which stays as it is';
    is_deeply [map { $_->[1] } @{listed()}], [$true, $false], '... and asks MariaDB as the user of the service';
    is $roster->ctl('secret', 'retire', '--yes')->{status}, 0, '... also before it removes a key';
    is scalar(lines()), 1, '... which is gone';
    $roster->set_directives(user => '');
    Roster::Database::write_file($file, "$lines[0]\n");
}

# ---- A file that can't be used ----

Roster::Database::write_file($file, "$lines[0]\nshort\n");
ends_with $roster->ctl('secret', 'rotate'), 4, qr/line 2 is 5 bytes long/, 'a short key is told';
ends_with $roster->ctl('reload'), 1, qr/line 2 is 5 bytes long/, '... by a reload, too';
is who($new), 200, '... which changes nothing';
Roster::Database::write_file($file, "$lines[0]\n" x 8);
ends_with $roster->ctl('secret', 'rotate'), 6, qr/no more are allowed/, 'eight keys are enough';

done_testing;
