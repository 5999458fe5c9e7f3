# rosterctl settings: what administrators set at run time, from the shell; and what roster.conf changes.
use v5.36;
use utf8;

use Test::More;
use Roster;
use Roster::Tables;

my $roster = Roster->new;
my $admin = $roster->add_user(role => 'admin');
my ($true, $false) = (JSON::PP::true, JSON::PP::false);

sub ends_with ($result, $status, $pattern, $name) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $good = $result->{status} eq $status && ($status ? $result->{err} : $result->{out} . $result->{err}) =~ $pattern;
    return ok($good, $name) || diag "status $result->{status}\nout: $result->{out}\nerr: $result->{err}";
}

# ---- All of them ----

my @names = (
    (map { $_->[0] } Roster::Tables::rows('tables/settings.def', 'SETTING')),
    map { "ldap.$_->[0]" } Roster::Tables::rows('tables/settings.def', 'LDAP_SETTING'));
my $list = $roster->ctl_json('settings', 'list');
is_deeply [map { $_->{name} } @$list], \@names, 'each row of settings.def is listed';
is_deeply [split /\n/, $roster->ctl('settings', 'list', '--quiet')->{out}], \@names, '... by its name alone, too';
is $roster->ctl('settings')->{out}, $roster->ctl('settings', 'list')->{out}, '`settings\' alone lists them';
my %setting = map { ($_->{name} => $_) } @$list;
is_deeply $setting{ENABLE_SIGNUP},
    {
    name => 'ENABLE_SIGNUP',
    value => $true,
    default => $true,
    changed => $false,
    type => 'yes or no',
    text => 'Whether people may create their own accounts.'
    },
    'one, in JSON';
is_deeply [map { $_->{value} } @setting{qw(ldap.port ldap.host ldap.validate_cert)}], [389, 'localhost', $true],
    'values have their types';
is_deeply $roster->ctl_json('settings', 'list', '--changed'), [], 'in a new installation none is changed';
my $shown = $roster->settings($admin);
is_deeply {
    map { ($_ => $setting{$_}{value}) } keys %$shown
}, $shown, 'they are those of GET /auths/admin/config';

# ---- One ----

ends_with $roster->ctl('settings', 'get', 'DEFAULT_USER_ROLE'), 0, qr/\Apending\n\z/, 'the value alone';
ends_with $roster->ctl('settings', 'get', 'enable_signup'), 0, qr/\Ayes\n\z/, '... in any case';
is $roster->ctl_json('settings', 'get', 'ENABLE_SIGNUP'), $true, '... in JSON';
ends_with $roster->ctl('settings', 'get', 'WEBUI_URL'), 0, qr/\A\n\z/, '... which may be empty';
ends_with $roster->ctl('settings', 'get', 'ENABLE_SINGUP'), 3, qr/did you mean `ENABLE_SIGNUP'/,
    'a mistyped setting gets a hint';
ends_with $roster->ctl('settings', 'get', 'no such thing at all'), 3, qr/`rosterctl settings list' lists all/,
    'a setting that there is not';
ends_with $roster->ctl('settings', 'get', 'ENABLE_LDAP'), 6, qr/LDAP can't be switched on/, 'LDAP is not supported';
ends_with $roster->ctl('settings', 'show', 'JWT_EXPIRES_IN'), 0,
    qr/\AJWT_EXPIRES_IN\n  How long [^\n]*\n\n  Type:     a text\n  Default:  4w\n  Value:    4w\n\z/,
    'a setting is explained';
is $roster->ctl_json('settings', 'show', 'ldap.port')->{type}, 'a number', '... in JSON';

# ---- Changes ----

ends_with $roster->ctl('settings', 'set', 'ENABLE_SIGNUP=no', 'jwt_expires_in=12h', 'ldap.port=636'), 0,
    qr/\AENABLE_SIGNUP is now no; it was yes\.\nJWT_EXPIRES_IN is now 12h; it was 4w\.\nldap\.port is now 636; it was 389\.\n\z/,
    'three at once';
is_deeply [@{$roster->settings($admin)}{qw(ENABLE_SIGNUP JWT_EXPIRES_IN)}], [$false, '12h'],
    'the service has them at once';
is $roster->get('/auths/admin/config/ldap/server', $admin)->{json}{port}, 636, '... those of LDAP, too';
is_problem $roster->post('/auths/signup', undef,
    {name => 'Eve', email => 'eve@example.org', password => 'a long password'}),
    403, 'ACCESS_PROHIBITED', '... and does as they say';
is_deeply [map { $_->{name} } @{$roster->ctl_json('settings', 'list', '--changed')}],
    [qw(ENABLE_SIGNUP JWT_EXPIRES_IN ldap.port)], '--changed lists these';
ends_with $roster->ctl('settings', 'set', 'ENABLE_SIGNUP=off'), 0, qr/ENABLE_SIGNUP is no already/,
    'twice is no failure';
ends_with $roster->ctl('settings', 'set', 'ENABLE_SIGNUP=YES'), 0,
    qr/is now yes.*Note: sign-up is open: .* with the role pending\.$/s, 'open sign-up is remarked';
ends_with $roster->ctl('settings', 'set', 'DEFAULT_USER_ROLE=user'), 0, qr/with the role user\.$/,
    '... and so is the role of who comes';
unlike $roster->ctl('settings', 'set', 'WEBUI_URL=https://a.example.org/?x=1')->{err}, qr/Note/,
    '... with what concerns it alone';
is $roster->settings($admin)->{WEBUI_URL}, 'https://a.example.org/?x=1', 'a value may contain an equals sign';
ends_with $roster->ctl('settings', 'set', 'RESPONSE_WATERMARK=', 'ldap.port='), 0, qr/ldap\.port is now \(empty\)/,
    'a value may be empty';
is_deeply [
    $roster->settings($admin)->{RESPONSE_WATERMARK},
    $roster->get('/auths/admin/config/ldap/server', $admin)->{json}{port}
    ],
    ['', undef], '... which is a text, or null';
my $lines = "First\nSecond <b>ä</b>";
utf8::encode(my $bytes = $lines);
is $roster->ctl('settings', 'set', "PENDING_USER_OVERLAY_CONTENT=$bytes")->{status}, 0, 'a text of two lines';
is $roster->settings($admin)->{PENDING_USER_OVERLAY_CONTENT}, $lines, '... is stored as it is';
is $roster->ctl('settings', 'get', 'PENDING_USER_OVERLAY_CONTENT')->{out}, "$bytes\n", '... and printed so';

my $before = $roster->ctl_json('settings', 'list');
for my $case (
    # [what is set, exit status, what is said]
    ['ENABLE_SIGNUP=perhaps', 2, qr/ENABLE_SIGNUP: `perhaps' is not a valid value: give yes or no/],
    ['ENABLE_SIGNUP', 2, qr/write it as ENABLE_SIGNUP=VALUE, where VALUE is yes or no/],
    ['DEFAULT_USER_ROLE=root', 2, qr/give pending, user or admin/],
    ['ldap.port=x', 2, qr/ldap\.port: `x' is not a valid value: give a number/],
    ['JWT_EXPIRES_IN=soon', 6, qr/JWT_EXPIRES_IN: This must be -1 or 0/],
    ['DEFAULT_GROUP_ID=Nothing', 3, qr/Nothing: there is no such group/],
    ['WEBUI_URL=' . 'x' x 16001, 6, qr/WEBUI_URL: This text is too long: it may have at most 16,000 characters/],
    ["WEBUI_URL=\xff", 2, qr/WEBUI_URL: give UTF-8/],
    ['ENABLE_LDAP=yes', 6, qr/LDAP can't be switched on/],
    ['SHOW_ADMIN_DETAILS=yes', 2, qr/SHOW_ADMIN_DETAILS stands there twice/],
    ['ldap.app_dn_password=secret', 2, qr/other users can see command lines/])
{
    my ($typed, $status, $said) = @$case;
    ends_with $roster->ctl('settings', 'set', 'SHOW_ADMIN_DETAILS=no', $typed), $status, $said,
        'refused: ' . substr $typed, 0, 30;
}
is_deeply $roster->ctl_json('settings', 'list'), $before, '... and nothing of all this is changed';

# ---- A group, and a password ----

chomp(my $group_id = $roster->ctl('-q', 'group', 'add', 'Staff')->{out});
ends_with $roster->ctl('settings', 'set', 'DEFAULT_GROUP_ID=Staff'), 0,
    qr/is now $group_id \(Staff\); it was \(empty\)/,
    'a group by its name';
is $roster->settings($admin)->{DEFAULT_GROUP_ID}, $group_id, '... is stored by its id';
$roster->sql('DELETE FROM `group`');
ends_with $roster->ctl('settings', 'show', 'DEFAULT_GROUP_ID'), 0, qr/Value:    \(empty\)/, 'one that is gone is none';
my $reset = $roster->ctl('settings', 'reset', 'default_group_id');
ends_with $reset, 0, qr/is now \(empty\); it was $group_id\./, '... and goes';
is $reset->{err}, '', '... without a complaint';

$roster->secret('a secret of LDAP');
ends_with $roster->ctl('settings', 'set', 'ldap.app_dn_password', {input => "a secret of LDAP\n"}), 0,
    qr/\Aldap\.app_dn_password is set\.\n\z/, 'a password comes from standard input';
is $roster->sql(q{SELECT JSON_VALUE(data, '$.ldap.server.app_password') FROM config}), 'a secret of LDAP',
    '... is stored';
is $roster->ctl('settings', 'get', 'ldap.app_dn_password')->{out}, "********\n", '... and never shown';
unlike $roster->ctl(@$_)->{out}, qr/a secret/, "... nor by @$_"
    for ['settings', 'list'], ['--json', 'settings', 'list'], ['settings', 'show', 'ldap.app_dn_password'];
ends_with $roster->ctl('settings', 'set', 'ldap.app_dn_password', {input => ''}), 2, qr/no line/, 'no password at all';

# ---- Back to a new installation ----

is $roster->ctl('settings', 'reset', @names)->{status}, 0, 'all are reset';
is_deeply $roster->ctl_json('settings', 'list'), $list, '... and are as in a new installation';
unlike $roster->sql('SELECT data FROM config'), qr/:[^{]/, '... with nothing stored';
ends_with $roster->ctl('settings', 'reset', 'DEFAULT_USER_ROLE', 'ENABEL_SIGNUP'), 3, qr/did you mean/,
    'a mistyped setting is not reset';

# ---- roster.conf ----

$roster->set_directives(slow_request => '2s', last_active_interval => '60s', privacy => 'strict');
my $changed = $roster->ctl('config', 'dump', '--changed');
is $changed->{status}, 0, 'what roster.conf changes';
like $changed->{out}, qr/^slow_request = 2s$/m, '... what it sets to something else';
unlike $changed->{out}, qr/^(?:last_active_interval|privacy|max_requests|listen_backlog) = /m,
    '... not what it sets to the default, nor what it does not set';
like $changed->{out}, qr/^\[api\]\nlisten = /m, '... with the sections of the pools';
is $roster->ctl('config', '--changed')->{out}, $changed->{out}, '`config\' alone does the same';
ends_with $roster->ctl('config', 'chekc'), 2, qr/did you mean `config check'/, '... and a mistyped word gets its hint';

done_testing;
