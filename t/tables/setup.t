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

# [exit status, what it said, the programs that it called].
sub setup ($environment, @arguments) {
    unlink "$directory/calls";
    my $pid = open my $out, '-|';
    if (!$pid) {
        $ENV{PATH} = "$directory:$ENV{PATH}";
        @ENV{qw(ACCOUNTS KNOWN)} = map { $environment->{$_} // '' } qw(accounts known);
        open STDERR, '>&', \*STDOUT;
        open STDIN, '<', '/dev/null';
        exec 'sh', "$Roster::Tables::source/debian/roster-setup", @arguments or exit 127;
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

# What it says at its end: what is still to be done comes last.
my $text = Roster::Tables::slurp("$Roster::Tables::source/debian/roster-setup");
like $text, qr/\(shown this once\)".*To read: .*certbot --nginx -d \$server_name"\nfi\n\z/s,
    'the last hint is the last';

done_testing;
