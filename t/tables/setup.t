# debian/roster-setup: what it can't use is refused before it does anything. The programs that it calls stand in for
# themselves here: they note that they were called, and do nothing.
use v5.36;

use File::Temp ();
use Test::More;
use Roster::Tables;

plan skip_all => 'this machine has a site of its own' if -e '/etc/nginx/sites-available/roster';
my $directory = File::Temp->newdir;

sub program ($name, $script) {
    open my $out, '>', "$directory/$name" or die "$name: $!\n";
    print {$out} "#!/bin/sh\necho \"$name \$*\" >>$directory/calls\n$script\n";
    close $out or die "$name: $!\n";
    return chmod 0755, "$directory/$name";
}
program(id => 'echo 0');
program(roster => 'printf "database_name = roster\n"');
program(rosterctl => 'case "$*" in *"user list") printf "%s" "$ACCOUNTS" ;; *"user show"*) [ -n "$KNOWN" ] ;; esac');
program($_ => 'exit 1') for qw(mariadb nginx);    # the first step that changes something is the last one here

my $script = "$Roster::Tables::source/debian/roster-setup";

# [exit status, what it said, the programs that it called].
sub setup ($environment, @arguments) {
    unlink "$directory/calls";
    my $pid = open my $out, '-|';
    if (!$pid) {
        $ENV{PATH} = "$directory:$ENV{PATH}";
        @ENV{qw(ACCOUNTS KNOWN FOUND)} = map { $environment->{$_} // '' } qw(accounts known found);
        open STDERR, '>&', \*STDOUT;
        open STDIN, '<', '/dev/null';
        exec 'sh', $script, @arguments or exit 127;
    }
    my $said = do { local $/ = undef; readline $out }
        // '';
    close $out;
    return ($? >> 8, $said, -e "$directory/calls" ? Roster::Tables::slurp("$directory/calls") : '');
}

my @site = ('--server-name', 'users.example.org', '--tls-certificate', '/a.pem', '--tls-key', '/a.key');
my @cases = (
    ['no address', {}, qr/'The email address of the first administrator' must be given/, @site],
    (
        map { ["the address `$_'", {}, qr/'\Q$_\E' is not an email address/, @site, '--email', $_] } 'ada',
        'ada@', '@example.org', 'a b@example.org',
        'a@b@example.org', 'ada@example'
    ),
    [
        'an address of nobody, where there are accounts', {accounts => 'x'},
        qr/there are accounts already, and none is eve\@example\.org's/, @site,
        '--email', 'eve@example.org'
    ],
    [
        'the name of an administrator, where there are accounts', {accounts => 'x'},
        qr/there are accounts already: leave --name out/, @site,
        '--name', 'Eve'
    ],
    [
        'a name of a site without nginx',
        {},
        qr/--server-name, .* are for nginx: leave them out, or --no-nginx/,
        qw(--no-nginx --server-name a.example.org --email a@example.org)
    ],
    ['a name that is none', {}, qr/'a_b' is not a valid host name/, qw(--server-name a_b --email a@example.org)],
    ['half of a certificate', {}, qr/must be given together/, qw(--tls-key /x --email a@example.org)]);
for my $case (@cases) {
    my ($what, $environment, $pattern, @arguments) = @$case;
    my ($status, $said, $calls) = setup($environment, @arguments);
    is $status, 1, "$what is refused" or diag $said;
    like $said, qr/^roster-setup: .*$pattern/m, '... and says why';
    unlike $calls, qr/^(?:mariadb|rosterctl (?:grants|migrate|nginx|.*user add))/m, '... before anything is done';
}
for my $case (
    ['all that it needs', {}, @site, '--email', 'ada@example.org'],
    ['an address that is there', {accounts => 'x', known => 1}, @site, '--email', 'ada@example.org'],
    ['accounts, and no address', {accounts => 'x'}, @site])
{
    my ($what, $environment, @arguments) = @$case;
    my ($status, $said, $calls) = setup($environment, @arguments);
    like $said, qr/^==> MariaDB/m, "$what: it begins" or diag $said;
    like $calls, qr/^mariadb /m, '... with the database';
}

# Further on, with a site and a systemd that stand in for the machine's.
program(mariadb => 'exit 0');
program(systemctl => 'exit 0');
program(nginx => 'exit 1');
program(
    rosterctl => 'case "$*" in *"user add"*) echo Secret-1 ;; *doctor) printf "%s" "$FOUND"; [ -z "$FOUND" ] ;; esac');
my $own = "$directory/roster-setup";
{
    my $text = Roster::Tables::slurp($script);
    $text =~ s{/run/systemd/system}{$directory}g;
    $text =~ s{^site=\S+}{site=$directory/site}m;
    my %file = ($own => $text, "$directory/site" => "server_name users.example.org;\n");
    for my $path (keys %file) {
        open my $out, '>', $path or die "$path: $!\n";
        print {$out} $file{$path};
        close $out or die "$path: $!\n";
    }
}
$script = $own;
my ($status, $said, $calls) = setup({}, '--email', 'ada@example.org');
is $status, 1, 'where nginx refuses its configuration, it fails';
like $said, qr/^roster-setup: nginx refuses.*^  email     ada\@example\.org\n  password  Secret-1 /ms,
    '... but shows the password of the new account, which is kept nowhere';
like $calls, qr/user add.*systemctl start roster\.service/s,
    'the service finds an administrator: nobody else becomes the first one';

program(nginx => 'exit 0');
($status, $said, $calls) = setup({}, '--email', 'ada@example.org');
is $status, 0, 'all is done' or diag $said;
like $said, qr/^    nothing to fix$/m, 'there is nothing to fix';
like $said, qr/password  Secret-1 /, '... and the password is shown';
($status, $said) = setup({found => 'warning  something'}, '--email', 'ada@example.org');
like $said, qr/^warning  something$/m, 'what doctor warns of is shown';
unlike $said, qr/nothing to fix/, '... and is something to fix';

# What it says at its end: what is still to be done comes last.
my $text = Roster::Tables::slurp("$Roster::Tables::source/debian/roster-setup");
like $text, qr/show_password\n.*To read: .*certbot --nginx -d \$server_name"\nfi\n\z/s, 'the last hint is the last';

done_testing;
