# rosterctl user import and export: people from CSV and htpasswd files, all or none, and back.
use v5.36;
use utf8;

use File::Temp ();
use Test::More;
use Roster;

my $roster = Roster->new;
my $json = JSON::PP->new->utf8;
$roster->secret($_) for 'a rather long one', 'correct horse, battery', 'kept from htpasswd';

sub ends_with ($result, $status, $pattern, $name) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $good = $result->{status} eq $status && ($status ? $result->{err} : $result->{out} . $result->{err}) =~ $pattern;
    return ok($good, $name) || diag "status $result->{status}\nout: $result->{out}\nerr: $result->{err}";
}

sub file ($content) {
    my $file = File::Temp->new;
    utf8::encode($content);
    print {$file} $content;
    $file->flush;
    return $file;
}

sub people () { return 0 + $roster->sql('SELECT COUNT(*) FROM user') }

# ---- Nobody yet ----

ends_with $roster->ctl('user', 'import', '-', {input => "email,name,role\na\@example.org,A,user\n"}), 6,
    qr/there are no accounts yet, and the first one is an administrator's/,
    'nobody becomes the administrator by a list';
is people, 0, '... and nobody is there';
my $admin = $roster->add_user(role => 'admin', email => 'admin@example.org', name => 'Admin', created_at => time - 100);
$roster->ctl('group', 'add', $_) for 'Staff', 'Sales; abroad', 'Default';
my %group = map { ($_->{name} => $_->{id}) } @{$roster->ctl_json('group', 'list')};
is $roster->ctl('settings', 'set', 'DEFAULT_GROUP_ID=Default')->{status}, 0, 'a default group';

# ---- CSV ----

my $file = file(<<"END" =~ s/\n/\r\n/gr);
\x{feff}E-Mail;Name;Role;Groups;Password;Phone;Time zone;Disabled

ada\@example.org;Ada Lovelace;user;"Staff;$group{'Sales; abroad'}";a rather long one;+43;Europe/Vienna;no
" Grace\@Example.ORG";"Hopper; ""Amazing"" Grace";;Staff;"correct horse, battery";;;
old\@example.org;Öld;pending;;a rather long one;;;yes
admin\@example.org;Somebody else;user;;a rather long one;;;
END
my @import = ('user', 'import', $file->filename, '--role', 'user');
my $dry = $roster->ctl(@import, '--dry-run');
is $dry->{status}, 0, 'a dry run';
is $dry->{out}, <<"END", '... reports each line';
LINE  EMAIL              NAME                     ROLE     RESULT
   3  ada\@example.org    Ada Lovelace             user     new
   4  grace\@example.org  Hopper; "Amazing" Grace  user     new
   5  old\@example.org    \xc3\x96ld                      pending  new
   6  admin\@example.org  Somebody else            user     exists
END
is $dry->{err}, <<'END', '... and what it comes to';
Note: these columns are not used: Phone.
3 accounts would be created; 1 exists already, and stays as it is. Nothing was done.
END
is people, 1, '... and does nothing';

my $done = $roster->ctl_json(@import);
is_deeply [map { [@$_{qw(line email role result)}] } @$done],
    [
    [3, 'ada@example.org', 'user', 'created'],
    [4, 'grace@example.org', 'user', 'created'],
    [5, 'old@example.org', 'pending', 'created'],
    [6, 'admin@example.org', 'user', 'exists']
    ],
    'the report in JSON';
my ($ada, $grace, $old) = map { $roster->ctl_json('user', 'show', $_->{id}) } @$done[0 .. 2];
is_deeply [@$ada{qw(email name role timezone disabled)}],
    ['ada@example.org', 'Ada Lovelace', 'user', 'Europe/Vienna', JSON::PP::false], 'the account is as the line says';
is_deeply [sort map { $_->{name} } @{$ada->{groups}}], ['Default', 'Sales; abroad', 'Staff'],
    '... with its groups, and the default one';
is_deeply [@$grace{qw(email name)}], ['grace@example.org', 'Hopper; "Amazing" Grace'], '... and another one';
ok $old->{disabled}, 'one is disabled';
is $roster->sign_in('grace@example.org', password => 'correct horse, battery')->{status}, 200, 'one can sign in';
is_problem $roster->sign_in('old@example.org', password => 'a rather long one'), 400, 'INVALID_CRED',
    '... and another one can not';
is $roster->ctl_json('user', 'show', 'admin@example.org')->{name}, 'Admin', 'who was there stays as they are';
my $again = $roster->ctl(@import, '--quiet');
is_deeply [@$again{qw(status out err)}], [0, '', ''], 'once more, nobody is created; --quiet prints the ids alone';

# ---- What is wrong ----

my $bad = $roster->ctl('user', 'import', '-', {input => <<"END"});
email,name,role,groups,password,password_hash,timezone,disabled
good\@example.org,Good,user,,a rather long one,,,
nobody,No,user,,,,,
x\@,No,user,,,,,
,No,user,,,,,
a\@example.org,,user,,,,,
b\@example.org,B\e[31m,user,,,,,
c\@example.org,C,root,,,,,
d\@example.org,D,,,,,,
e\@example.org,E,user,Stuff,a rather long one,,,
f\@example.org,F,user,,short,,,
g\@example.org,G,user,,,\$2y\$10\$x,,
h\@example.org,H,user,,a rather long one,abcdefghijklm,,
i\@example.org,I,user,,,,,
j\@example.org,J,user,,a rather long one,,Mars/Olympus,
k\@example.org,K,user,,a rather long one,,,perhaps
GOOD\@example.org,Good,user,,a rather long one,,,
l\@example.org,L
END
is $bad->{status}, 6, 'a file with faults is refused';
is $bad->{err}, <<'END', '... with the line of each';
rosterctl: standard input:3: `nobody' is not an email address; --domain example.org makes it nobody@example.org
rosterctl: standard input:4: `x@': This is not an email address.
rosterctl: standard input:5: there is no email address
rosterctl: standard input:6: there is no name
rosterctl: standard input:7: the name has more than 255 characters, or control or formatting characters
rosterctl: standard input:8: `root' is not a role: use pending, user or admin
rosterctl: standard input:9: there is no role: add a column role, or --role
rosterctl: standard input:10: there is no group `Stuff'
rosterctl: standard input:11: The password is too short: it must have at least 8 bytes.
rosterctl: standard input:12: the password is a bcrypt hash that is malformed, or too expensive
rosterctl: standard input:13: there are both a password and a hash
rosterctl: standard input:14: there is no password: add a column password or password_hash, --one-time-password or --no-password
rosterctl: standard input:15: the time zone is no name of the IANA time zone database
rosterctl: standard input:16: disabled must be yes or no
rosterctl: standard input:17: line 2 has the same email address
rosterctl: standard input:18: it has 2 fields, but there are 8 columns
rosterctl: 16 lines can't be imported; nothing was done
END
is $bad->{out}, '', '... and no report';
is people, 4, '... and nobody of it is there';
my @plain = map { "$_\@example.org,N" } 'a' .. 'e';
splice @plain, 2, 1, 'c@example.org,';
is $roster->ctl('user', 'import', '-', '--role', 'user', {input => join "\n", 'email,name', @plain})->{err}, <<'END',
rosterctl: standard input:2-3: there is no password: add a column password or password_hash, --one-time-password or --no-password
rosterctl: standard input:4: there is no name
rosterctl: standard input:5-6: there is no password: add a column password or password_hash, --one-time-password or --no-password
rosterctl: 5 lines can't be imported; nothing was done
END
    'what is wrong with many lines in a row is told once';
ends_with $roster->ctl('user', 'import', '/nowhere/people.csv'), 1, qr{/nowhere/people\.csv: No such file},
    'a file that there is not';
ends_with $roster->ctl('user', 'import', '-', {input => "emial,name\n"}), 6,
    qr/standard input:1: there is no column `emial'; did you mean `email'\?/, 'a mistyped column gets a hint';
ends_with $roster->ctl('user', 'import', '-', {input => "email,name\n\"a"}), 6,
    qr/standard input:2: a quote \("\) does not end/, 'a quote that does not end';
ends_with $roster->ctl('user', 'import', '-', '--format', 'xlsx', {input => ''}), 2, qr/one of: csv htpasswd/,
    'a format that is none';

# The last of many is refused by MariaDB: none is there. Its collation takes two addresses for one that are two here.
my $many = $roster->ctl('user', 'import', '-', '--role', 'user', '--no-password',
    {input => "email,name\n" . join '', map { "$_\@many.example.org,M\n" } 1 .. 60, "\xef\xbd\x81bc", 'abc'});
ends_with $many, 6, qr/\Arosterctl: standard input:63: Another account has this .*\nrosterctl: nothing was done\n\z/,
    'what MariaDB refuses is told with its line';
is people, 4, '... and nobody is created';

# ---- htpasswd ----

sub crypted ($setting) { return crypt 'kept from htpasswd', $setting }
my %hash = (
    apache => '$apr1$abcdefgh$IOgidz65O8KSQc2ye21jf/',
    bcrypt => '$2b$04$abcdefghijklmnopqrstuu',
    des => 'ab',
    md5 => '$1$abcdefgh$',
    sha256 => '$5$rounds=1000$abcdefgh$',
    sha512 => '$6$abcdefgh$',
    yescrypt => '$y$j75$abcdefgh$');
$_ = crypted($_) for @hash{grep { $_ ne 'apache' } keys %hash};
my $htpasswd = file("# those of the web server\n" . join '', map { "$_:$hash{$_}\n" } sort keys %hash);
ends_with $roster->ctl('user', 'import', $htpasswd->filename, '--role', 'user'), 6,
    qr/:2: `apache' is not an email address; --domain example\.org makes it apache\@example\.org/,
    'names need a domain';
my $taken = $roster->ctl_json('user', 'import', $htpasswd->filename, '--role', 'user', '--domain', 'web.example.org',
    '--group', 'Staff');
is_deeply [map { "$_->{name} <$_->{email}> $_->{result}" } @$taken],
    [map { "$_ <$_\@web.example.org> created" } sort keys %hash], 'each line is a person';
is $roster->ctl_json('group', 'show', 'Staff')->{member_count}, 2 + keys %hash, '... in the group';
for my $kind (sort keys %hash) {
    my $email = "$kind\@web.example.org";
    is $roster->sql('SELECT password FROM auth WHERE email = ?', $email), $hash{$kind}, "$kind: the hash is kept";
    is_problem $roster->sign_in($email, password => 'wrong password'), 400, 'INVALID_CRED',
        '... a wrong password is refused';
    is $roster->sign_in($email, password => 'kept from htpasswd')->{status}, 200, '... the right one is good';
    like $roster->sql('SELECT password FROM auth WHERE email = ?', $email), qr/^\$s1\$/, '... and is hashed anew';
    is $roster->sign_in($email, password => 'kept from htpasswd')->{status}, 200, '... and good again';
}
ends_with $roster->ctl('user', 'import', '-', '--domain', 'x.example.org', '--role', 'user',
    {input => "a:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\nb:\n"}),
    6,
    qr/:1: the password is hashed in a format that can't be verified here\n.*:2: it is not NAME:HASH/,
    'hashes that can\'t be verified';

# ---- Back ----

$roster->sql('UPDATE user SET name = ?, last_active_at = created_at + 60 WHERE email = ?', '=1+2', 'ada@example.org');
$roster->sql('UPDATE `group` SET name = ? WHERE name = ?', 'Staff', 'Default');    # two groups of one name
my $export = $roster->ctl('user', 'export');
is $export->{status}, 0, 'an export';
my @lines = split /\n/, $export->{out};
is shift @lines, 'id,email,name,role,groups,timezone,disabled,created_at,last_active_at,last_sign_in_at',
    '... names its columns';
is @lines, people, '... has a line for each account';
my ($line) = grep { /ada\@/ } @lines;
like $line,
    qr/^$ada->{id},ada\@example\.org,'=1\+2,user,"[^"]*",Europe\/Vienna,no,\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ,\d{4}-[^,]*Z,$/,
    '... which is no formula, and has the times';
is_deeply [sort split /;/, ($line =~ /"([^"]*)"/)[0]], [sort values %group],
    '... with the ids of groups whose names would not do';
like $lines[0], qr/^[^,]+,admin\@example\.org,.*Z,,$/, 'who was never here has no time';
is $roster->ctl('user', 'export', '--csv')->{out}, $export->{out}, '--csv is the same';
ends_with $roster->ctl('user', 'export', '--csv', '--json'), 2, qr/can't be used together/, '... and not with --json';
my ($row) = grep { $_->{id} eq $ada->{id} } @{$roster->ctl_json('user', 'export')};
is_deeply [@$row{qw(email name role timezone disabled created_at last_active_at)}],
    ['ada@example.org', '=1+2', 'user', 'Europe/Vienna', JSON::PP::false, $ada->{created_at}, $ada->{created_at} + 60],
    'the same in JSON';

my @before = map { [@$_{qw(email name role groups timezone disabled)}] } @{$roster->ctl_json('user', 'export')};
$roster->sql('DELETE FROM user WHERE id <> ?', $admin->{id});
my $back = $roster->ctl('user', 'import', '-', '--no-password', {input => $export->{out}});
ends_with $back, 0, qr/^@{[people() - 1]} accounts created; 1 exists already/m, 'what was exported is imported';
my $sorted = sub (@rows) {
    return [sort { $a->[0] cmp $b->[0] } map { my @row = @$_; $row[3] = [sort @{$row[3]}]; \@row } @rows];
};
is_deeply $sorted->(map { [@$_{qw(email name role groups timezone disabled)}] } @{$roster->ctl_json('user', 'export')}),
    $sorted->(map { $_->[0] eq 'admin@example.org' ? $_ : [@$_[0 .. 2], [@{$_->[3]}], @$_[4, 5]] } @before),
    '... and is as it was';

done_testing;
