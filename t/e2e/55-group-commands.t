# rosterctl group: names that stand for one group, and members by file.
use v5.36;
use utf8;

use File::Temp ();
use Test::More;
use Roster;

my $roster = Roster->new;
my $admin = $roster->add_user(role => 'admin', name => 'Ada', email => 'ada@example.org');
my %user = map { ($_ => $roster->add_user(name => ucfirst, email => "$_\@example.org")) } qw(bob carol dora eve);

sub ends_with ($result, $status, $pattern, $name) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $good = $result->{status} eq $status && ($status ? $result->{err} : $result->{out} . $result->{err}) =~ $pattern;
    return ok($good, $name) || diag "status $result->{status}\nout: $result->{out}\nerr: $result->{err}";
}

sub members ($group) {
    return join ' ', sort map { $_->{name} } @{$roster->ctl_json('group', 'show', $group)->{members}};
}

# ---- Names ----

is $roster->ctl('group', 'add', 'Staff')->{status}, 0, 'a group';
ends_with $roster->ctl('group', 'add', ' Staff '), 6, qr/there is a group `Staff' already/, 'its name is taken';
is $roster->ctl('group', 'add', 'staff')->{status}, 0, '... which another case is not';
ends_with $roster->ctl('group', 'rename', 'staff', 'Staff'), 6, qr/there is a group `Staff' already/,
    '... nor for another group';
ends_with $roster->ctl('group', 'rename', 'Staff', 'Everybody'), 0, qr/\AThe group Staff is now Everybody\.\n\z/,
    'a group is renamed';
ends_with $roster->ctl('group', 'rename', 'Everybody', 'Everybody'), 0, qr/already has this name/,
    'twice is no failure';
ends_with $roster->ctl('group', 'rename', 'Nobody', 'X'), 3, qr/no such group/, 'a group that there is not';
ends_with $roster->ctl('group', 'rename', 'Everybody', "a\nb"), 2, qr/NAME: give 1 to 255 characters/,
    'a name that is none';
is $roster->post('/groups/create', $admin, {name => 'Everybody', description => ''})->{status}, 200,
    'another program makes a second one of this name';
my $list = $roster->ctl('group', 'list');
like $list->{err}, qr/\ANote: 2 groups have the name `Everybody': `rosterctl group rename ID NAME' renames one\.\n\z/,
    '... which the list tells';
my ($empty) = map { $_->{id} } grep { $_->{name} eq 'Everybody' } @{$roster->ctl_json('group', 'list')};
is $roster->ctl('group', 'rename', $empty, 'Guests')->{status}, 0, '... and by the id one is renamed';
is $roster->ctl('group', 'list')->{err}, '', '... and nothing is left to tell';

# ---- Members ----

my $group = 'Guests';
ends_with $roster->ctl('group', 'add-member', $group, 'bob@example.org'), 0,
    qr/\AGuests: added Bob <bob\@example\.org>\.\n\z/, 'a member';
ends_with $roster->ctl('group', 'add-member', $group, 'bob@example.org', $user{carol}{id}), 0,
    qr/\AGuests: added 1 user\.\nBob <bob\@example\.org> is already a member of Guests\.\n\z/,
    'who is one already, is told';
$roster->sql('UPDATE group_member SET source = ?', 'header');
ends_with $roster->ctl('group', 'add-member', $group, 'bob@example.org'), 0, qr/\ABob .* is already a member/,
    'who came by a trusted header';
is $roster->sql('SELECT source FROM group_member WHERE user_id = ?', $user{bob}{id}), 'manual', '... stays from now on';
my $before = $roster->sql('SELECT updated_at FROM `group` WHERE name = ?', $group);
$roster->sql('UPDATE `group` SET updated_at = 1 WHERE name = ?', $group);
my $none = $roster->ctl('group', 'remove-member', $group, 'dora@example.org');
ends_with $none, 3, qr/\Arosterctl: Dora <dora\@example\.org> is no member of Guests\n\z/, 'who is no member is told';
is $none->{out}, '', '... and nobody was removed';
is $roster->sql('SELECT updated_at FROM `group` WHERE name = ?', $group), 1, '... and nothing is changed';
my $some = $roster->ctl('group', 'remove-member', $group, 'dora@example.org', 'carol@example.org');
ends_with $some, 7, qr/Dora .* is no member of Guests/, 'one of two';
is $some->{out}, "Guests: removed 1 user.\n", '... the other one is removed';
is members($group), 'Bob', '... and Bob is left';
ends_with $roster->ctl('group', 'add-member', $group), 2, qr/give users, or --file/, 'nobody at all';

# ---- By file ----

my $file = File::Temp->new;
print {$file}
    "\x{ef}\x{bb}\x{bf}# those of last year\r\ncarol\@example.org\r\n\r\n  $user{dora}{id}\t\nCAROL\@example.org\n",
    "ada\@example.org";
$file->flush;
my @file = ('--file', $file->filename);
ends_with $roster->ctl('group', 'add-member', $group, 'eve@example.org', @file), 0, qr/\AGuests: added 4 users\.\n\z/,
    'members by file, each once';
is members($group), 'Ada Bob Carol Dora Eve', '... and those of the command line';
ends_with $roster->ctl('group', 'remove-member', $group, @file), 0, qr/\AGuests: removed 3 users\.\n\z/,
    'a file removes, too';
ends_with $roster->ctl('group', 'remove-member', $group, '--file', '-', {input => "bob\@example.org\n"}), 0,
    qr/\AGuests: removed bob\@example\.org\.\n\z/, '... and so does standard input';
is members($group), 'Eve', 'one is left';
my $bad = $roster->ctl('group', 'add-member', $group, '--file', '-',
    {input => "bob\@example.org\nnobody\@example.org\n# bob\n\e[31mbob\n"});
is $bad->{status}, 3, 'lines that name nobody';
is $bad->{err}, <<"END", '... are all told, with their numbers';
rosterctl: standard input:2: `nobody\@example.org': there is no such user
rosterctl: standard input:4: `\x{ef}\x{bf}\x{bd}[31mbob': there is no such user
rosterctl: nothing was changed
END
is members($group), 'Eve', '... and nothing is changed';
ends_with $roster->ctl('group', 'add-member', $group, '--file', '/nowhere/list'), 1,
    qr{/nowhere/list: No such file}, 'a file that there is not';
ends_with $roster->ctl('group', 'add-member', $group, '--file', '-', {input => "# nobody\n"}), 2, qr/give users/,
    'a file without anybody';

# Many: one statement for each, and one change.
my @many = map { "u$_" } 1 .. 1200;
$roster->sql('INSERT INTO user (id, email, name) VALUES ' . join ', ',
    map { "('$_', '$_\@many.example.org', 'M')" } @many);
ends_with $roster->ctl('group', 'add-member', $group, '--file', '-', {input => join "\n", @many}), 0,
    qr/added 1200 users/, 'a long file';
is $roster->ctl_json('group', 'show', $group)->{member_count}, 1201, '... all are members';

done_testing;
