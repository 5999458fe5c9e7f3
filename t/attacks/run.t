# All attacks of this directory over one stack. Each file names its attack, and its CVE or CWE, in its first line; one that
# is added is run. The last list has the attacks that t/e2e shows, where they need a stack of their own.
use v5.36;

use Test::More;
use Roster::Attack;
use Roster::Database;

my $here = "$Roster::source/t/attacks";
my @files = grep { !m{/run\.t$} } glob "$here/*.t";
cmp_ok scalar @files, '>', 10, 'there are attacks';

$Roster::Attack::shared = Roster::Attack::stack();
for my $file (@files) {
    my ($title) =
        Roster::Database::slurp($file) =~ /\A# ((?:CVE-\d{4}-\d{4,}|CWE-\d+)(?:, (?:CVE-\d{4}-\d{4,}|CWE-\d+))*: .+)\n/;
    ok defined $title, "$file begins with its CVE or CWE, and what it is" or next;
    subtest $title => sub {
        defined do $file or fail "$file runs to its end: " . ($@ || $!);
    };
}

# SECURITY lists them.
my $security = Roster::Database::slurp("$Roster::source/SECURITY");
for my $name (map { m{([^/]+)\.t$} } @files) {
    like $security, qr/^ +CWE-\d+\S* .*\b\Q$name\E /m, "SECURITY has $name";
}

# What t/e2e shows of attacks: their subtests, by name.
my @elsewhere = map { [split /\t+/] } grep { /\S/ } split /\n/, <<'END';
24-authentication.t	algorithms and header
25-bad-input.t	several requests in one go
25-bad-input.t	two requests in one connection
25-bad-input.t	what is large
27-sign-in.t	two hundred sign-ups at once on an empty database
29-trusted-headers.t	who is believed
29-trusted-headers.t	the first person, thirty times at once
32-rate-limits.t	keys that would fill Redis
36-door.t	one account from many addresses
36-door.t	a client cannot say that it was admitted
43-picture-references.t	nobody destroys the picture of somebody else
45-secrets-in-memory.t	nobody looks into a worker
END
for my $row (@elsewhere) {
    my ($file, $subtest) = @$row;
    like Roster::Database::slurp("$Roster::source/t/e2e/$file"), qr/\Q$subtest\E/, "$file shows: $subtest";
}

Roster::done_testing();
