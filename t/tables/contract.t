# roster-api(7) is the contract: its numbers are those of the source, and comments cite it by sections that it has, and
# no document from outside of the repository. The one form of a citation is `roster-api(7), SECTION`, where SECTION is a
# heading of the page.
use v5.36;
use utf8;

use File::Find ();
use Test::More;
use Roster::Tables;

binmode Test::More->builder->$_, ':encoding(UTF-8)' for qw(output failure_output);

my $page = Roster::Tables::manual('roster-api');

# ---- What the page says ----

# Numbers that no table holds: where the source has them, and the words of the page around them.
my @numbers = (
    ['auth/token.h', 'TOKEN_LENGTH_MAX', 'of at most %s bytes. It is'],
    ['base/email.c', 'EMAIL_LENGTH_MAX', 'of at most %s bytes, without white space'],
    ['base/picture.h', 'PICTURE_ADDRESS_MAX', 'an address of at most %s bytes'],
    ['store/setting_store.c', 'SETTING_CHARACTERS_MAX', 'at most %s characters, unless the same'],
    ['api/keys.c', 'ROUTES_MAX', 'takes at most %s paths'],
    ['api/keys.c', 'ROUTE_LENGTH_MAX', 'of %s bytes each'],
    ['store/user_page.h', 'USER_PAGE_ROWS', 'in pages of %s']);
my $words = join ' ', $page =~ s/^\.\w\w //mgr =~ /[\w,]+/g;
for my $number (@numbers) {
    my ($file, $name, $format) = @$number;
    my ($value) = Roster::Tables::slurp("$Roster::Tables::source/src/$file") =~ /\b$name = (\d+)/;
    my $expected = sprintf $format, ($value // "$name?") =~ s/(?<=\d)(?=(?:\d{3})+$)/,/gr;
    ok index($words, join ' ', $expected =~ /[\w,]+/g) >= 0, "roster-api(7) says: $expected";
}

# ---- What is ours ----

# The routes of the service whose interface this one continues. All others stand in the section EXTENSIONS.
my %theirs = map { ($_ => 1) } qw(users_list users_all users_search users_own_groups users_own_permissions
    default_permissions_get default_permissions_set settings_get settings_update status_get status_update info_get
    info_update user_get user_delete user_oauth_sessions user_picture user_active user_update user_groups session_get
    sign_in sign_up sign_out sign_out_post profile_update timezone_update password_update user_add api_key_get
    api_key_set api_key_delete admin_details admin_config_get admin_config_set ldap_get ldap_set ldap_server_get
    ldap_server_set groups_list group_create group_get group_export group_users group_update group_users_add
    group_users_remove group_delete default_permissions_fresh variables_get variables_update user_info
    user_sessions_revoke own_oauth_session_end mfa_status mfa_challenge mfa_enroll_start mfa_enroll_confirm mfa_verify
    mfa_recover mfa_replace mfa_recovery_codes group_info group_preview group_members user_preview);
my ($extensions) = $page =~ /^\.Sh EXTENSIONS\n(.*?)^\.Sh /ms;
my @ours = $extensions =~ /^\.Pa (\/\S*)/mg;
for my $route (Roster::Tables::records('tables/routes.def', 'ROUTE')) {
    next if delete $theirs{$route->{name}};
    my $path = $route->{path};
    ok + (grep { $path eq $_ || index($path, "$_/") == 0 } grep { $_ ne '/users/' } @ours),
        "EXTENSIONS of roster-api(7) has $path ($route->{name}), or what it stands under";
}
is join(' ', sort keys %theirs), '', 'no route of theirs is missing';

for my $row (Roster::Tables::rows('tables/faults.def', 'FAULT_TYPE')) {
    my ($type, undef, $text) = @$row;
    like $page, qr/^\.It Li \Q$type\E\n\Q@{[substr $text, 0, 40]}\E/m,
        "roster-api(7) has the fault $type, with its text";
}

# ---- What comments cite ----

# The parts that people read.
my @parts = qw(src t conf nginx sql man debian m4 HACKING README Makefile.am configure.ac quickstart);

# What nobody has: notes of those who wrote this, and steps and rules by numbers, which change.
my @outside = (
    qr/\b(?:api|design|libraries)[\w.-]*\.md\b/, qr/\buser-operations\b/,
    qr/(?<!\w)(?:step|rule)s? \d/i, qr/\bissue #?\d/i);

my @headings = $page =~ /^\.S[hs] "?(.+?)"?$/mg;
my %times;
$times{$_}++ for @headings;
cmp_ok scalar @headings, '>', 50, 'roster-api(7) has headings';

sub files () {
    my @found;
    my $wanted = sub {
        push @found, $_ if -f && -T && !m{/t/(?:fuzz/corpus|import)/|\.(?:inc|o|log|trs)$|/contract\.t$};
    };
    File::Find::find({no_chdir => 1, wanted => $wanted}, grep { -e } map { "$Roster::Tables::source/$_" } @parts);
    return sort @found;
}

# Comments go on over lines: without the marks at the beginnings of these.
sub unfold ($text) { return $text =~ s{\s*\n\s*(?:/?\*|//|#|--|\.\\")?[ \t]*}{ }gr }

# The heading that stands at the beginning of a text, the longest that does.
sub heading_of ($text) {
    my ($heading) = sort { length $b <=> length $a } grep { $text =~ /^\Q$_\E(?!\w)/ } @headings;
    return $heading;
}

my (%cited, @wrong);
for my $path (files()) {
    my $name = substr $path, length "$Roster::Tables::source/";
    my $text = unfold(Roster::Tables::slurp($path));
    for my $pattern (@outside) {
        push @wrong, "$name cites $1" while $text =~ /($pattern.{0,30})/g;
    }
    while ($text =~ /roster-api\(7\), (?![\w.-]+\(\d\))(.{0,60})/g) {
        my $heading = heading_of(my $cited = $1);
        push @wrong, "$name cites a section that roster-api(7) does not have: $cited" if !defined $heading;
        $cited{$heading}++ if defined $heading;
    }
}
is join("\n", @wrong), '', 'each citation names something that is in the repository';
cmp_ok scalar keys %cited, '>', 10, 'sections are cited';
is $times{$_}, 1, "roster-api(7) has one section $_" for sort keys %cited;

done_testing;
